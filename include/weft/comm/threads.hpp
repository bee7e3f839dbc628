// The communicator of ranks that are threads of one process, on the host.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "weft/backend/host/queue.hpp"
#include "weft/comm/hub_member.hpp"

namespace weft::inline v0_1::threads {

struct Message {
  StridedBytes piece;

  static void deliver(const Message& from, const Message& to) { copy_strided(from.piece, to.piece); }
};
using Hub = weft::Hub<Message>;
using Event = HubEvent<Hub>;

/// Satisfies every concept of communicator.hpp. The hub must outlive it.
class Communicator : public HubMember<Hub> {
 public:
  using Queue = host::Queue;
  using Event = threads::Event;

  /// Makes the communicator of the whole world; `rank` is the caller's.
  Communicator(Hub& hub, int rank) : HubMember(hub, rank) {}

  /// Makes a communicator of `members`, which are ranks of this one, the caller's among them. `name` names it
  /// in traces and traffic, and distinguishes splits of the same ranks.
  [[nodiscard]] Communicator split(std::string_view name, const std::vector<int>& members) const {
    Communicator out = *this;
    out.become_member_of(name, members);
    return out;
  }

  [[nodiscard]] Event send(Queue& queue, const StridedBytes& piece, int to) {
    Event event(hub());
    post_send(queue, event, piece, to);
    return event;
  }

  [[nodiscard]] Event receive(Queue& queue, const StridedBytes& piece, int from) {
    Event event(hub());
    post_receive(queue, event, piece, from);
    return event;
  }

  [[nodiscard]] Event all_to_all(Queue& queue, std::span<const Addressed> sends,
                                 std::span<const Addressed> receives) {
    Event event(hub());
    for (const auto& [peer, piece] : receives) post_receive(queue, event, piece, peer);
    for (const auto& [peer, piece] : sends) post_send(queue, event, piece, peer);
    return event;
  }

  [[nodiscard]] Event all_gather(Queue& queue, std::span<const StridedBytes> pieces) {
    Event event(hub());
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) continue;
      post_receive(queue, event, pieces[static_cast<std::size_t>(peer)], peer);
      post_send(queue, event, pieces[static_cast<std::size_t>(rank())], peer);
    }
    return event;
  }

  void all_reduce(Queue& queue, const View<double, 1>& values) { sum_in_order(*this, queue, values); }

  bool pushes() const { return true; }

  /// Returns every member's pointers, in the members' order, when all have called it.
  [[nodiscard]] std::vector<std::vector<void*>> exchange_pointers(Queue& queue,
                                                                  const std::vector<void*>& memory) {
    std::vector<std::vector<void*>> out(static_cast<std::size_t>(size()), memory);
    const auto piece_of = [](std::vector<void*>& pointers) {
      return StridedBytes(View<void*, 1>(pointers.data(), {static_cast<Index>(pointers.size())}));
    };
    std::vector<void*> mine = memory;
    Event event(hub());
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) continue;
      const auto send = std::make_shared<Hub::Post>(Message{piece_of(mine)}),
                 receive =
                     std::make_shared<Hub::Post>(Message{piece_of(out[static_cast<std::size_t>(peer)])});
      if (!HubMember::post_receive(receive, peer)) event.add(receive);
      if (!HubMember::post_send(send, peer)) event.add(send);
    }
    wait(queue, event);
    return out;
  }

  /// Waits until all members have come here.
  void barrier(Queue& queue) { static_cast<void>(exchange_pointers(queue, {nullptr})); }

  /// Waits by a barrier for all that members have stored into each other's memory, and counts `sent`, which
  /// is what this one has.
  void pushed(Queue& queue, const Traffic& sent) {
    count(sent);
    barrier(queue);
  }

  /// Waits until all of the event's messages are delivered. Throws Stopped if another rank fails before that.
  void wait(Queue& queue, Event& event) {
    if (event.posts().empty()) return;
    const auto span = queue.span("wait", name().c_str());
    for (const Hub::Posted& post : event.posts()) hub().wait(*post);
    event.clear();
  }

 private:
  void post_send(Queue& queue, Event& event, const StridedBytes& piece, int to) {
    if (piece.bytes() == 0) return;
    const auto span = queue.span("send", name().c_str(), world_rank(to), piece.bytes());
    const auto post = std::make_shared<Hub::Post>(Message{piece});
    count({1, piece.bytes()});
    if (!HubMember::post_send(post, to)) event.add(post);
  }

  void post_receive(Queue& queue, Event& event, const StridedBytes& piece, int from) {
    if (piece.bytes() == 0) return;
    const auto span = queue.span("receive", name().c_str(), world_rank(from), piece.bytes());
    const auto post = std::make_shared<Hub::Post>(Message{piece});
    if (!HubMember::post_receive(post, from)) event.add(post);
  }
};

}  // namespace weft::inline v0_1::threads
