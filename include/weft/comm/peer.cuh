// The communicator of ranks that are threads of one process, on as many CUDA devices as there are.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/comm/hub_member.hpp"
#include "weft/comm/peer/device_watch.cuh"
#include "weft/comm/peer/message.cuh"
#include "weft/comm/peer/sum.cuh"

namespace weft::inline v0_1::peer {

/// The state that the ranks of one process share. Before it releases ranks because one has ended or failed,
/// it checks the devices: where one has failed, waiting for the others would never return.
struct Hub : weft::Hub<Message> {
  cuda::HostAllGather all_gather;
  cuda::JointRecorder recorder;
  DeviceWatch devices;

  explicit Hub(int ranks)
      : weft::Hub<Message>(ranks), recorder(ranks, all_gather, [this] { stop("another rank has failed"); }) {}

  void stop(const std::string& reason) {
    devices.end_process_if_one_failed();
    weft::Hub<Message>::stop(reason);
    all_gather.stop();
  }

  void leave(int rank) {
    devices.end_process_if_one_failed();
    weft::Hub<Message>::leave(rank);
  }
};

using Event = HubEvent<Hub>;

/// Models every concept of communicator.hpp, Push included. Copies run on a stream of their own. Ranks order
/// their work by events, so devices wait without the host; the host waits only until both sides of a message
/// are posted, or all members have come to an exchange or a barrier. The hub must outlive it.
class Communicator : public HubMember<Hub> {
 public:
  using Queue = cuda::Queue;
  using Event = peer::Event;

  /// Makes the communicator of the whole world; `rank` is the caller's.
  Communicator(Hub& hub, int rank) : HubMember(hub, rank) { begin_group(); }

  /// Returns the communicator of `members`, which are ranks of this one, the caller among them. `name`
  /// distinguishes it in traces, in traffic and from other splits of the same ranks.
  [[nodiscard]] Communicator split(std::string_view name, const std::vector<int>& members) const {
    Communicator out = *this;
    out.become_member_of(name, members);
    out.begin_group();
    return out;
  }

  [[nodiscard]] Event send(Queue& queue, const StridedBytes& piece, int to) {
    Event event(hub());
    post_send(queue, event, cuda::moment_in(queue.stream()), piece, to);
    return event;
  }

  [[nodiscard]] Event receive(Queue& queue, const StridedBytes& piece, int from) {
    Event event(hub());
    post_receive(event, cuda::moment_in(queue.stream()), piece, from);
    return event;
  }

  [[nodiscard]] Event all_to_all(Queue& queue, std::span<const Addressed> sends,
                                 std::span<const Addressed> receives) {
    Event event(hub());
    const auto ready = cuda::moment_in(queue.stream());
    for (const auto& [peer, piece] : receives) post_receive(event, ready, piece, peer);
    for (const auto& [peer, piece] : sends) post_send(queue, event, ready, piece, peer);
    return event;
  }

  [[nodiscard]] Event all_gather(Queue& queue, std::span<const StridedBytes> pieces) {
    std::vector<Addressed> sends, receives;
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) continue;
      receives.push_back({peer, pieces[static_cast<std::size_t>(peer)]});
      sends.push_back({peer, pieces[static_cast<std::size_t>(rank())]});
    }
    return all_to_all(queue, sends, receives);
  }

  void all_reduce(Queue& queue, const View<double, 1>& values) {
    const Index count = values.size();
    if (sums_->most < count) take_parts(queue, count);
    const Index first = std::exchange(sums_->turn, 1 - sums_->turn) * size() * sums_->most;
    Parts parts{};
    parts.count = size();
    for (int member = 0; member < size(); ++member)
      parts.values[member] = sums_->of_member[static_cast<std::size_t>(member)] + first + rank() * count;
    store_parts(queue.stream(), values, parts);
    pushed(queue, {size() - 1, (size() - 1) * count * static_cast<Index>(sizeof(double))});
    const double* const own = sums_->of_member[static_cast<std::size_t>(rank())] + first;
    sum_parts(queue.stream(), View<const double, 2>(own, {size(), count}), values);
  }

  bool pushes() const { return true; }

  /// Returns every member's pointers, in the members' order, when all have called it. The host alone waits.
  [[nodiscard]] std::vector<std::vector<void*>> exchange_pointers(Queue& queue,
                                                                  const std::vector<void*>& memory) {
    std::vector<std::vector<void*>> out;
    for (cuda::HostAllGather::Contribution& theirs : gather(queue, {nullptr, memory}))
      out.push_back(std::move(theirs.memory));
    return out;
  }

  /// Orders what is queued next behind what all members have queued before their calls.
  void barrier(Queue& queue) {
    const auto mine = cuda::moment_in(queue.stream());
    const auto span = queue.span("wait", name().c_str());
    for (const cuda::HostAllGather::Contribution& theirs : gather(queue, {mine, {}}))
      if (theirs.event != mine) theirs.event->hold(queue.stream());
  }

  /// Waits by a barrier for all that members have stored into each other's memory, and counts `sent`, which
  /// is what this one has.
  void pushed(Queue& queue, const Traffic& sent) {
    count_sent(queue, sent);
    barrier(queue);
  }

  /// Makes the queue wait for the event's messages. Throws Stopped if another rank fails before both sides of
  /// each are posted.
  void wait(Queue& queue, Event& event) {
    if (event.posts().empty()) return;
    const auto span = queue.span("wait", name().c_str());
    for (const Hub::Posted& post : event.posts()) {
      queue.wait_on_host([this, &post] { hub().wait(*post); });
      const Message& message = post->message;
      message.end->hold(queue.stream());
      if (queue.timeline() && message.begin)
        queue.timeline()->add({.name = sentence(name(), ' ', message.to),
                               .category = "transfer",
                               .bytes = message.piece.bytes(),
                               .awaited_by = message.to},
                              message.begin, message.end);
    }
    event.clear();
  }

 private:
  void begin_group() {
    group_ = name();
    for (int member : members().of_world()) group_ += ' ' + std::to_string(member);
    stream_ = std::make_shared<const SendStream>();
    sums_ = std::make_shared<Sums>();
    if (size() > Parts::most)
      reject("a communicator has ", size(), " ranks; on devices of one process at most ", Parts::most,
             " meet");
  }

  std::vector<cuda::HostAllGather::Contribution> gather(Queue& queue,
                                                        const cuda::HostAllGather::Contribution& mine) {
    std::vector<cuda::HostAllGather::Contribution> all;
    queue.wait_on_host([this, &all, &mine] { all = hub().all_gather.gather(group_, size(), rank(), mine); });
    return all;
  }

  /// What all reductions of this communicator share: members' parts, for two reductions, which take turns, so
  /// that those of one are read while those of the next already come.
  struct Sums {
    std::vector<cuda::Buffer<double>> memory;
    std::vector<double*> of_member;  // in the memory of each
    Index most = 0, turn = 0;        // values of a reduction; which of the two is next
  };

  /// Takes memory for reductions of so many values, which nothing else uses any more when members store
  /// there. It comes at first use, while work is recorded, and stays, since recorded work refers to it.
  void take_parts(Queue& queue, Index count) {
    sums_->memory.emplace_back(queue, 2 * size() * count);
    const View<double, 1> own = sums_->memory.back().view(std::array{2 * size() * count});
    sums_->most = count;
    sums_->of_member.clear();
    for (const std::vector<void*>& theirs : exchange_pointers(queue, {own.data}))
      sums_->of_member.push_back(static_cast<double*>(theirs.front()));
    barrier(queue);
  }

  void count_sent(const Queue& queue, const Traffic& sent) {
    if (!queue.is_dry_run()) count(sent);
  }

  void post_send(Queue& queue, Event& event, std::shared_ptr<const cuda::Event> ready,
                 const StridedBytes& piece, int to) {
    if (piece.bytes() == 0) return;
    const bool timed = queue.timeline() != nullptr;
    const auto kind = timed ? cuda::Event::Kind::time : cuda::Event::Kind::order;
    const auto begin = timed ? std::make_shared<const cuda::Event>(kind) : nullptr;
    event.add(std::make_shared<Hub::Post>(Message{
        piece, std::move(ready), stream_, begin, std::make_shared<const cuda::Event>(kind), world_rank(to)}));
    count_sent(queue, {1, piece.bytes()});
    HubMember::post_send(event.posts().back(), to);
  }

  void post_receive(Event& event, std::shared_ptr<const cuda::Event> ready, const StridedBytes& piece,
                    int from) {
    if (piece.bytes() == 0) return;
    event.add(std::make_shared<Hub::Post>(Message{piece, std::move(ready)}));
    HubMember::post_receive(event.posts().back(), from);
  }

  std::string group_;                         // name and members
  std::shared_ptr<const SendStream> stream_;  // of all that this rank sends here
  std::shared_ptr<Sums> sums_;
};

}  // namespace weft::inline v0_1::peer
