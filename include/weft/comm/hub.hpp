// Hub: matches the sends and receives of ranks that are threads of one process. The rank that posts second
// delivers the message.
#pragma once

#include <algorithm>
#include <atomic>
#include <compare>
#include <concepts>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "weft/comm/strided_bytes.hpp"
#include "weft/core/error.hpp"

namespace weft::inline v0_1 {

/// One side of a message: its piece, and `deliver(from, to)`, which transfers it.
template <class M>
concept Message = requires(M& from, M& to) {
  { from.piece } -> std::convertible_to<StridedBytes>;
  M::deliver(from, to);
};

/// Shared by all ranks, which may call it at the same time. Must outlive their communicators and events.
template <Message MessageType>
class Hub {
 public:
  /// A posted send or receive. The memory of its message must stay valid until it is `finished`, or until
  /// `cancel` has returned.
  struct Post {
    enum State { pending, finished, stopped };

    explicit Post(MessageType what) : message(std::move(what)) {}

    MessageType message;
    std::atomic<int> state = pending;

    void become(State next) {
      state.store(next, std::memory_order_release);
      state.notify_all();
    }
  };
  using Posted = std::shared_ptr<Post>;

  /// A communicator and two ranks of the world, whose messages match in order.
  struct Route {
    std::string communicator;
    int from, to;
    friend auto operator<=>(const Route&, const Route&) = default;
  };
  enum class Side { send, receive };

  explicit Hub(int ranks) : has_ended_(static_cast<std::size_t>(ranks), false) {}

  int ranks() const { return static_cast<int>(has_ended_.size()); }

  /// Posts one side of a message. Returns whether the other side was posted before, and the message has been
  /// delivered. An exception stops both sides, so that no rank waits for them.
  [[nodiscard]] bool post(const Route& route, Side side, const Posted& mine) {
    Posted other;
    try {
      other = match(route, side, mine);
      if (!other) return false;
      if (side == Side::send) {
        MessageType::deliver(mine->message, other->message);
      } else {
        MessageType::deliver(other->message, mine->message);
      }
    } catch (...) {
      mine->become(Post::stopped);
      if (other) other->become(Post::stopped);
      throw;
    }
    mine->become(Post::finished);
    other->become(Post::finished);
    return true;
  }

  /// Waits until the message is delivered. Throws Stopped if the hub is stopped before that.
  void wait(Post& post) const {
    post.state.wait(Post::pending, std::memory_order_acquire);
    if (post.state.load(std::memory_order_acquire) == Post::stopped) throw Stopped(reason());
  }

  /// Cancels an unmatched post, or waits for a delivery that has begun.
  void cancel(const Posted& post) {
    {
      std::lock_guard lock(mutex_);
      for (auto& [route, unmatched] : unmatched_)
        for (auto* side : {&unmatched.sends, &unmatched.receives})
          if (const auto at = std::find(side->begin(), side->end(), post); at != side->end()) {
            side->erase(at);
            return;
          }
    }
    post->state.wait(Post::pending, std::memory_order_acquire);
  }

  /// Makes every wait throw Stopped, now and later. The reason of the first call is kept.
  void stop(const std::string& reason) {
    std::lock_guard lock(mutex_);
    stop_locked(reason);
  }

  /// Marks `rank` as ended. If another rank still waits for it, which would hang, all ranks are stopped.
  void leave(int rank) {
    std::lock_guard lock(mutex_);
    has_ended_[static_cast<std::size_t>(rank)] = true;
    for (const auto& [route, unmatched] : unmatched_) {
      const bool is_awaited = (route.from == rank && !unmatched.receives.empty()) ||
                              (route.to == rank && !unmatched.sends.empty());
      if (is_awaited) return stop_locked(ended(rank, route));
    }
  }

  /// Why the hub was stopped; empty if it was not.
  std::string reason() const {
    std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  /// Posts of a route that wait for their other side.
  struct Unmatched {
    std::deque<Posted> sends, receives;
  };

  /// Removes the other side from the unmatched posts and returns it; adds `mine` to them and returns null if
  /// there is none yet.
  Posted match(const Route& route, Side side, const Posted& mine) {
    std::lock_guard lock(mutex_);
    if (stopped_) throw Stopped(reason_);
    Unmatched& unmatched = unmatched_[route];
    auto& own = side == Side::send ? unmatched.sends : unmatched.receives;
    auto& others = side == Side::send ? unmatched.receives : unmatched.sends;
    if (others.empty()) {
      const int peer = side == Side::send ? route.to : route.from;
      if (has_ended_[static_cast<std::size_t>(peer)]) throw std::runtime_error(ended(peer, route));
      own.push_back(mine);
      return nullptr;
    }
    const Posted other = others.front();
    if (other->message.piece.bytes() != mine->message.piece.bytes())
      throw std::logic_error(sentence("a message of ", route.communicator, " from rank ", route.from,
                                      " to rank ", route.to, " has ", mine->message.piece.bytes(),
                                      " bytes on one side and ", other->message.piece.bytes(),
                                      " on the other"));
    others.pop_front();
    return other;
  }

  void stop_locked(const std::string& reason) {
    if (!stopped_) reason_ = reason;
    stopped_ = true;
    for (auto& [route, unmatched] : unmatched_)
      for (auto* side : {&unmatched.sends, &unmatched.receives}) {
        for (const Posted& post : *side) post->become(Post::stopped);
        side->clear();
      }
  }

  static std::string ended(int rank, const Route& route) {
    return sentence("rank ", rank, " has ended, and rank ", route.from == rank ? route.to : route.from,
                    " still has a message of ", route.communicator, " for it or from it");
  }

  mutable std::mutex mutex_;
  std::map<Route, Unmatched> unmatched_;
  std::vector<bool> has_ended_;  // by rank
  bool stopped_ = false;
  std::string reason_;
};

}  // namespace weft::inline v0_1
