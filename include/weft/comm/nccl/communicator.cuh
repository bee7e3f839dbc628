// The communicator of ranks that have a CUDA device each, over NCCL.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/comm/members.hpp"
#include "weft/comm/nccl/channel.cuh"
#include "weft/comm/nccl/links.cuh"
#include "weft/comm/nccl/team.cuh"
#include "weft/elementwise.cuh"

namespace weft::nccl {

/// Satisfies every concept of communicator.hpp; `split` is called by all ranks of this communicator, each
/// with the group that it is in.
///
/// All that is posted is ordered behind the queue and runs beside it, and can be recorded into a graph if its
/// event is waited for in the same recording.
///
/// A group whose ranks reach each other's memory, as those of one host do, is a team: its members store into
/// memory of each other, and once `reserve` has been called, copy engines carry its messages. Any other
/// group, and what has no room reserved, goes by NCCL's calls. NCCL runs the operations of one communicator
/// one after another, in the order of the calls: a receive that is posted ahead would hold up the sends after
/// it, and two ranks that do so would wait for each other and never end. Hence two kinds of channels:
/// - One for the group. A grouped call is one operation there. All members make the same grouped calls in the
///   same order, so that the oldest one that is not done has all its members, and gets done.
/// - In the group "pipe", whose stages post receives ahead, a link for every neighbour in both directions: a
///   channel of two ranks, on which one sends and the other receives. The n-th send meets the n-th receive
///   there, and nothing else waits for either. A team has none: its stages reserve room.
/// `send` and `receive` of other groups and between ranks that are not neighbours go through the group's
/// channel. There a rank may not post a receive before a send that has to come first.
class Communicator {
 public:
  using Queue = cuda::Queue;
  using Event = nccl::Event;

  /// Makes the communicator of the whole world; owns `world`.
  explicit Communicator(ncclComm_t world)
      : home_(std::make_shared<Home>()), name_("world"), members_(members_of(world)) {
    group_ = std::make_shared<Channel>(home_, world, name_, members_.of_world());
    home_->heap = HostHeap::of(world, rank());
  }

  int rank() const { return members_.rank(); }
  int size() const { return members_.size(); }

  /// `members` are ranks of this communicator, its caller among them; `name` tells it apart in traces and in
  /// traffic. Returns when all its channels are connected.
  Communicator split(std::string_view name, const std::vector<int>& members) const {
    Communicator out(home_, std::string(name), members_.some(members));
    if (!group_) return out;
    const int color =
        members.size() == 1 ? NCCL_SPLIT_NOCOLOR : *std::min_element(members.begin(), members.end());
    ncclComm_t comm = split_off(group_->comm(), color, out.rank());
    if (!comm) return out;
    out.group_ = std::make_shared<Channel>(home_, comm, out.name_, out.members_.of_world());
    const std::vector<int> peers = others(out);
    out.group_->connect(peers, peers);
    if (home_->heap) out.team_ = Team::of(comm, out.size(), out.rank());
    if (name == "pipe" && !out.team_) out.links_ = Links(home_, comm, out.name_, out.members_);
    return out;
  }

  /// Tells what will come: messages of at most `bytes` a call from each of `senders`, `ahead` of them before
  /// the first is waited for. All members call it, while none of their messages is on its way.
  void reserve(const std::vector<int>& senders, Index bytes, int ahead = 2) {
    if (team_) team_->mailbox().open(senders, bytes, ahead);
  }

  [[nodiscard]] Event send(Queue& queue, const StridedBytes& piece, int to) {
    if (piece.bytes() == 0) return {};
    if (has_room()) return post_to_team(queue, "send", std::vector<Addressed>{{to, piece}}, {}, to);
    const Link link = links_.to(to) ? *links_.to(to) : Link{group_.get(), to};
    return post(queue, *link.channel, "send", std::vector<Addressed>{{link.peer, piece}}, {}, to);
  }

  [[nodiscard]] Event receive(Queue& queue, const StridedBytes& piece, int from) {
    if (piece.bytes() == 0) return {};
    if (has_room()) return post_to_team(queue, "receive", {}, std::vector<Addressed>{{from, piece}}, from);
    const Link link = links_.from(from) ? *links_.from(from) : Link{group_.get(), from};
    return post(queue, *link.channel, "receive", {}, std::vector<Addressed>{{link.peer, piece}}, from);
  }

  [[nodiscard]] Event all_to_all(Queue& queue, std::span<const Addressed> sends,
                                 std::span<const Addressed> receives) {
    return post_grouped(queue, "all_to_all", sends, receives);
  }

  [[nodiscard]] Event all_gather(Queue& queue, std::span<const StridedBytes> pieces) {
    std::vector<Addressed> sends, receives;
    for (const int peer : others(*this)) {
      sends.push_back({peer, pieces[static_cast<std::size_t>(rank())]});
      receives.push_back({peer, pieces[static_cast<std::size_t>(peer)]});
    }
    return post_grouped(queue, "all_gather", sends, receives);
  }

  /// What all have goes to all, and each adds it up: the order of NCCL's own sums differs from rank to rank
  /// and from size to size.
  void all_reduce(Queue& queue, const View<double, 1>& values) {
    if (size() == 1 || values.empty()) return;
    const Index count = values.size(), bytes = count * static_cast<Index>(sizeof(double));
    const std::size_t before = group_->allocations();
    auto* const all = reinterpret_cast<double*>(group_->memory(size() * bytes));
    if (group_->allocations() > before) queue.count_allocation();
    const View<double, 2> rows(all, {size(), count});
    std::vector<Addressed> sends, receives;
    for (const int peer : others(*this)) {
      sends.push_back({peer, values});
      receives.push_back({peer, rows[peer]});
    }
    tell(queue, "all_reduce", sends);
    group_->begin(queue.stream());
    check(cudaMemcpyAsync(rows[rank()].data, values.data, static_cast<std::size_t>(bytes),
                          cudaMemcpyDeviceToDevice, group_->stream()),
          "Copying");
    group_->transfer(queue.timeline(), sends, receives);
    kernels::for_each_number(group_->stream(), 1, count,
                             kernels::SumRows{all, Index{size()}, count, values.data});
    Event event = group_->end();
    wait(queue, event);
  }

  void wait(Queue& queue, Event& event) {
    if (!event.done && event.expected.empty()) return;
    const auto span = queue.span("wait", name_.c_str());
    if (event.done) event.done->hold(queue.stream());
    for (const Mailbox::Expected& message : event.expected) receive(queue, message);
    event = {};
  }

  /// Returns whether members reach each other's memory, so that `exchange_pointers`, `barrier` and `pushed`
  /// may be called.
  bool pushes() const { return team_ != nullptr; }

  /// Returns every member's pointers, in the members' order, when all have called it. Throws a logic error if
  /// memory is not of the heap.
  [[nodiscard]] std::vector<std::vector<void*>> exchange_pointers(Queue&, const std::vector<void*>& memory) {
    std::vector<Index> places;
    for (const void* pointer : memory) places.push_back(home_->heap->place_of(pointer));
    std::vector<std::vector<void*>> out;
    for (const std::vector<Index>& theirs : team_->exchange()(places)) {
      const int owner = members_.world_rank(static_cast<int>(out.size()));
      std::vector<void*>& reached = out.emplace_back();
      for (const Index place : theirs) reached.push_back(home_->heap->at(owner, place));
    }
    out[static_cast<std::size_t>(rank())] = memory;
    return out;
  }

  /// Orders what is queued next behind what all members have queued before their calls.
  void barrier(Queue& queue) {
    const auto span = queue.span("wait", name_.c_str());
    team_->barrier(queue.stream());
  }

  /// Waits by a barrier for all that members have stored into each other's memory, and counts `sent`, which
  /// is what this one has.
  void pushed(Queue& queue, const Traffic& sent) {
    home_->begin(name_, "push", -1);
    if (!queue.is_dry_run()) count(sent);
    barrier(queue);
  }

  /// What this rank has posted so far, by the name of the communicator; what is recorded counts once, however
  /// often it is replayed.
  const TrafficByName& traffic() const { return home_->traffic; }

 protected:
  Home& home() const { return *home_; }

 private:
  Communicator(std::shared_ptr<Home> home, std::string name, Members members)
      : home_(std::move(home)), name_(std::move(name)), members_(std::move(members)) {}

  static Members members_of(ncclComm_t world) {
    int size = 0, rank = 0;
    check(ncclCommCount(world, &size), "asking for the number of ranks");
    check(ncclCommUserRank(world, &rank), "asking for the rank");
    return {size, rank};
  }

  void count(const Traffic& sent) {
    Traffic& all = home_->traffic[name_];
    all.calls += sent.calls, all.bytes += sent.bytes;
  }

  void tell(const Queue& queue, const char* what, const std::vector<Addressed>& sends, int member = -1) {
    home_->begin(name_, what, member < 0 ? -1 : members_.world_rank(member));
    if (queue.is_dry_run()) return;
    for (const Addressed& send : sends) count({1, send.piece.bytes()});
  }

  /// Blocks without bytes are left out, as the other side does.
  Event post_grouped(Queue& queue, const char* what, std::span<const Addressed> sends,
                     std::span<const Addressed> receives) {
    const auto filled = [](std::span<const Addressed> messages) {
      std::vector<Addressed> out;
      for (const Addressed& message : messages)
        if (message.piece.bytes() > 0) out.push_back(message);
      return out;
    };
    const auto outgoing = filled(sends), incoming = filled(receives);
    if (outgoing.empty() && incoming.empty()) return {};
    return has_room() ? post_to_team(queue, what, outgoing, incoming)
                      : post(queue, *group_, what, outgoing, incoming);
  }

  Event post(Queue& queue, Channel& channel, const char* what, const std::vector<Addressed>& sends,
             const std::vector<Addressed>& receives, int member = -1) {
    tell(queue, what, sends, member);
    const std::size_t before = channel.allocations();
    channel.begin(queue.stream());
    channel.transfer(queue.timeline(), sends, receives);
    if (channel.allocations() > before) queue.count_allocation();
    return channel.end();
  }

  bool has_room() const { return team_ && team_->mailbox().is_open(); }

  Event post_to_team(Queue& queue, const char* what, const std::vector<Addressed>& sends,
                     const std::vector<Addressed>& receives, int member = -1) {
    tell(queue, what, sends, member);
    Event event;
    for (auto& [peer, pieces] : by_peer(receives))
      event.expected.push_back(team_->mailbox().expect(peer, std::move(pieces)));
    if (sends.empty()) return event;
    const cudaStream_t stream = home_->transfers.get();
    cuda::moment_in(queue.stream())->hold(stream);
    const auto kind = queue.timeline() ? cuda::Event::Kind::time : cuda::Event::Kind::order;
    const auto begin = cuda::moment_in(stream, kind);
    for (const auto& [peer, pieces] : by_peer(sends)) team_->mailbox().send(stream, peer, pieces);
    event.done = cuda::moment_in(stream, kind);
    if (queue.timeline())
      queue.timeline()->add(transfer_slice(name_, members_.of_world(), sends, receives), begin, event.done);
    return event;
  }

  static std::map<int, std::vector<StridedBytes>> by_peer(const std::vector<Addressed>& messages) {
    std::map<int, std::vector<StridedBytes>> out;
    for (const auto& [peer, piece] : messages) out[peer].push_back(piece);
    return out;
  }

  /// CUDA may run on one channel of the device what could run at the same time, and does not know that ranks
  /// wait for each other: so what waits for a message comes after all that this rank has sent before.
  void receive(Queue& queue, const Mailbox::Expected& message) {
    const cudaStream_t stream = home_->transfers.get();
    if (is_recording(stream) == is_recording(queue.stream())) cuda::moment_in(stream)->hold(queue.stream());
    team_->mailbox().receive(queue.stream(), message);
  }

  static bool is_recording(cudaStream_t stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(stream, &status), "Asking whether work is recorded");
    return status != cudaStreamCaptureStatusNone;
  }

  std::shared_ptr<Home> home_;
  std::string name_;
  Members members_;
  std::shared_ptr<Channel> group_;  // none in a group of one
  std::shared_ptr<Team> team_;      // none where members do not reach each other's memory
  Links links_;                     // of "pipe" alone
};

}  // namespace weft::nccl
