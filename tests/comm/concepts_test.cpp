// For every concept of communicator.hpp and world.hpp a type that models it, and types that do not for one
// reason.
#include <doctest/doctest.h>

#include "weft/comm/communicator.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/solo.hpp"
#include "weft/comm/world.hpp"

namespace {

using Model = weft::threads::Communicator;
using Queue = Model::Queue;
using Event = Model::Event;

struct NoRank : Model {
  void rank();
};
struct NoWait : Model {
  void wait();
};
struct NoSend : Model {
  void send();
};
struct ReceivesWithoutEvent : Model {
  void receive(Queue&, const weft::StridedBytes&, int);
};
struct SendsToAllTheSame : Model {
  Event all_to_all(Queue&, std::span<const weft::StridedBytes>, std::span<const weft::StridedBytes>);
};
struct GathersOneBlock : Model {
  Event all_gather(Queue&, const weft::StridedBytes&);
};
struct ReducesLater : Model {
  Event all_reduce(Queue&, const weft::View<double, 1>&);
};
struct StoresUncounted : Model {
  void pushed(Queue&);
};
struct SplitsOffSomethingElse : Model {};  // a plain Model

using Threads = weft::threads::World;

struct NoWorkers : Threads {
  void workers();
};
struct NoLane : Threads {
  void lane();
};
struct ExchangesNothing : Threads {
  void all_to_all();
};
struct SplitsNothing : Threads {
  void split();
};
struct CommunicatesNothing : Threads {
  using Communicator = int;
};

}  // namespace

static_assert(weft::Communicator<Model>);

static_assert(weft::Member<Model>);
static_assert(!weft::Member<NoRank> && !weft::Member<NoWait> && !weft::Member<int>);

static_assert(weft::SendReceive<Model>);
static_assert(!weft::SendReceive<NoSend> && !weft::SendReceive<ReceivesWithoutEvent>);
static_assert(weft::Member<NoSend> && weft::AllToAll<NoSend>);

static_assert(weft::AllToAll<Model>);
static_assert(!weft::AllToAll<SendsToAllTheSame>);
static_assert(weft::SendReceive<SendsToAllTheSame> && weft::AllGather<SendsToAllTheSame>);

static_assert(weft::AllGather<Model>);
static_assert(!weft::AllGather<GathersOneBlock>);
static_assert(weft::SendReceive<GathersOneBlock> && weft::AllReduce<GathersOneBlock>);

static_assert(weft::AllReduce<Model>);
static_assert(!weft::AllReduce<ReducesLater>);
static_assert(weft::AllGather<ReducesLater>);

static_assert(weft::Push<Model>);
static_assert(!weft::Push<StoresUncounted> && weft::AllReduce<StoresUncounted>);

static_assert(weft::Split<Model>);
static_assert(!weft::Split<SplitsOffSomethingElse>);
static_assert(weft::AllReduce<SplitsOffSomethingElse> && !weft::Communicator<SplitsOffSomethingElse>);

static_assert(weft::World<Threads> && weft::World<weft::Solo<Queue>>);
static_assert(!weft::World<NoWorkers> && !weft::World<NoLane> && !weft::World<SplitsNothing>);
static_assert(!weft::World<ExchangesNothing> && weft::SendReceive<ExchangesNothing>);
static_assert(!weft::World<CommunicatesNothing> && !weft::World<Model>);
