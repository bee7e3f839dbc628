// The communicator of ranks that have a CUDA device each, over NCCL.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/comm/members.hpp"
#include "weft/comm/nccl/channel.cuh"
#include "weft/comm/nccl/peer_channels.cuh"
#include "weft/comm/nccl/team.cuh"
#include "weft/elementwise.cuh"

namespace weft::inline v0_1::nccl {

/// Satisfies every concept of communicator.hpp. All ranks of this communicator call `split`, each with the
/// group that it is in.
///
/// An operation begins after what is on the queue when it is posted, runs concurrently with what is queued
/// next, and can be recorded into a graph if its event is waited for in the same recording.
///
/// A group whose ranks can access each other's memory, as those of one host can, is a team: its members store
/// into each other's memory, and once `reserve` has been called, copy engines carry its messages. Other
/// groups, and messages without a reserved buffer, use NCCL's calls. NCCL runs the operations of one
/// communicator one after another, in the order of the calls: a receive that is posted ahead would block the
/// sends after it, and two ranks that do so would deadlock. Hence two kinds of channels:
/// - One for the group, where a grouped call is one operation. All members make the same grouped calls in the
///   same order, so that the oldest unfinished one has been called by all its members, and completes.
/// - In the group "pipe", whose stages post receives ahead, a channel for every neighbour and each direction:
///   it has two ranks, of which one sends and the other receives. The n-th send matches the n-th receive
///   there, and nothing else waits for either. A team has none: its stages reserve buffers.
/// `send` and `receive` of other groups, and between ranks that are not neighbours, use the group's channel.
/// There a rank must not post a receive before a send that has to complete first.
class Communicator {
 public:
  using Queue = cuda::Queue;
  using Event = nccl::Event;

  /// Makes the communicator of the whole world; owns `world`.
  explicit Communicator(ncclComm_t world)
      : state_(std::make_shared<RankState>()), name_("world"), members_(members_of(world)) {
    group_ = std::make_shared<Channel>(state_, world, name_, members_.of_world());
    state_->heap = HostHeap::of(world, rank());
  }

  int rank() const { return members_.rank(); }
  int size() const { return members_.size(); }

  /// Makes a communicator of `members`, which are ranks of this one, the caller's among them. `name` names it
  /// in traces and traffic. Returns when all its channels are connected.
  [[nodiscard]] Communicator split(std::string_view name, const std::vector<int>& members) const {
    Communicator out(state_, std::string(name), members_.some(members));
    if (!group_) return out;
    const int color =
        members.size() == 1 ? NCCL_SPLIT_NOCOLOR : *std::min_element(members.begin(), members.end());
    ncclComm_t comm = split_off(group_->comm(), color, out.rank());
    if (!comm) return out;
    out.group_ = std::make_shared<Channel>(state_, comm, out.name_, out.members_.of_world());
    const std::vector<int> peers = others(out);
    out.group_->connect(peers, peers);
    if (state_->heap) out.team_ = Team::of(comm, out.size(), out.rank());
    if (name == "pipe" && !out.team_)
      out.peer_channels_ = PeerChannels(state_, comm, out.name_, out.members_);
    return out;
  }

  /// Reserves receive buffers for messages of at most `bytes` a call from each of `senders`, of which up to
  /// `ahead` are posted before the first is waited for. All members call it, while none of their messages is
  /// in flight.
  void reserve(const std::vector<int>& senders, Index bytes, int ahead = 2) {
    if (team_) team_->mailbox().open(senders, bytes, ahead);
  }

  [[nodiscard]] Event send(Queue& queue, const StridedBytes& piece, int to) {
    if (piece.bytes() == 0) return {};
    if (has_mailbox()) return post_to_team(queue, "send", std::vector<Addressed>{{to, piece}}, {}, to);
    const PeerChannel own = peer_channels_.to(to) ? *peer_channels_.to(to) : PeerChannel{group_.get(), to};
    return post(queue, *own.channel, "send", std::vector<Addressed>{{own.peer, piece}}, {}, to);
  }

  [[nodiscard]] Event receive(Queue& queue, const StridedBytes& piece, int from) {
    if (piece.bytes() == 0) return {};
    if (has_mailbox()) return post_to_team(queue, "receive", {}, std::vector<Addressed>{{from, piece}}, from);
    const PeerChannel own =
        peer_channels_.from(from) ? *peer_channels_.from(from) : PeerChannel{group_.get(), from};
    return post(queue, *own.channel, "receive", {}, std::vector<Addressed>{{own.peer, piece}}, from);
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

  /// Gathers the values of all members and sums them on each, since the order of NCCL's own sums depends on
  /// the rank and the size.
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
    report(queue, "all_reduce", sends);
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

  /// Returns whether members can access each other's memory, so that `exchange_pointers`, `barrier` and
  /// `pushed` may be called.
  bool pushes() const { return team_ != nullptr; }

  /// Returns every member's pointers, in the members' order and in this rank's address space. Throws
  /// std::logic_error for memory outside of the heap.
  [[nodiscard]] std::vector<std::vector<void*>> exchange_pointers(Queue&, const std::vector<void*>& memory) {
    std::vector<Index> places;
    for (const void* pointer : memory) places.push_back(state_->heap->place_of(pointer));
    std::vector<std::vector<void*>> out;
    for (const std::vector<Index>& theirs : team_->all_gather()(places)) {
      const int owner = members_.world_rank(static_cast<int>(out.size()));
      std::vector<void*>& reached = out.emplace_back();
      for (const Index place : theirs) reached.push_back(state_->heap->at(owner, place));
    }
    out[static_cast<std::size_t>(rank())] = memory;
    return out;
  }

  /// Orders what is queued next after what all members have queued before their calls.
  void barrier(Queue& queue) {
    const auto span = queue.span("wait", name_.c_str());
    team_->barrier(queue.stream());
  }

  /// Makes what all members have pushed so far visible to what is queued next, by a barrier; counts `sent` as
  /// this rank's traffic.
  void pushed(Queue& queue, const Traffic& sent) {
    state_->begin(name_, "push", -1);
    if (!queue.is_dry_run()) count(sent);
    barrier(queue);
  }

  /// Returns what this rank has posted so far, by the name of the communicator; recorded work counts once,
  /// however often it is replayed.
  const TrafficByName& traffic() const { return state_->traffic; }

 protected:
  RankState& state() const { return *state_; }

 private:
  Communicator(std::shared_ptr<RankState> state, std::string name, Members members)
      : state_(std::move(state)), name_(std::move(name)), members_(std::move(members)) {}

  static Members members_of(ncclComm_t world) {
    int size = 0, rank = 0;
    check(ncclCommCount(world, &size), "asking for the number of ranks");
    check(ncclCommUserRank(world, &rank), "asking for the rank");
    return {size, rank};
  }

  void count(const Traffic& sent) { state_->traffic[name_] += sent; }

  /// Notes what this rank is doing, and its traffic.
  void report(const Queue& queue, const char* what, const std::vector<Addressed>& sends, int member = -1) {
    state_->begin(name_, what, member < 0 ? -1 : members_.world_rank(member));
    if (queue.is_dry_run()) return;
    for (const Addressed& send : sends) count({1, send.piece.bytes()});
  }

  /// Posts one operation. Leaves out empty pieces, as the other side does.
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
    if (has_mailbox()) return post_to_team(queue, what, outgoing, incoming);
    return post(queue, *group_, what, outgoing, incoming);
  }

  Event post(Queue& queue, Channel& channel, const char* what, const std::vector<Addressed>& sends,
             const std::vector<Addressed>& receives, int member = -1) {
    report(queue, what, sends, member);
    const std::size_t before = channel.allocations();
    channel.begin(queue.stream());
    channel.transfer(queue.timeline(), sends, receives);
    if (channel.allocations() > before) queue.count_allocation();
    return channel.end();
  }

  bool has_mailbox() const { return team_ && team_->mailbox().is_open(); }

  Event post_to_team(Queue& queue, const char* what, const std::vector<Addressed>& sends,
                     const std::vector<Addressed>& receives, int member = -1) {
    report(queue, what, sends, member);
    Event event;
    for (auto& [peer, pieces] : by_peer(receives))
      event.expected.push_back(team_->mailbox().expect(peer, std::move(pieces)));
    if (sends.empty()) return event;
    const cudaStream_t stream = state_->transfers.get();
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

  /// Orders the wait for a message after all that this rank has sent before: CUDA may serialize independent
  /// streams on one hardware channel, and does not know that ranks wait for each other.
  void receive(Queue& queue, const Mailbox::Expected& message) {
    const cudaStream_t stream = state_->transfers.get();
    if (is_recording(stream) == is_recording(queue.stream())) cuda::moment_in(stream)->hold(queue.stream());
    team_->mailbox().receive(queue.stream(), message);
  }

  static bool is_recording(cudaStream_t stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(stream, &status), "Asking whether work is recorded");
    return status != cudaStreamCaptureStatusNone;
  }

  std::shared_ptr<RankState> state_;
  std::string name_;
  Members members_;
  std::shared_ptr<Channel> group_;  // null in a group of one
  std::shared_ptr<Team> team_;      // null where members cannot access each other's memory
  PeerChannels peer_channels_;      // empty but in "pipe"
};

}  // namespace weft::inline v0_1::nccl
