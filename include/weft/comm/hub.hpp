// Where the ranks of one process meet: posted sends and receives, matched and delivered by whoever comes
// second.
#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "weft/comm/strided_bytes.hpp"
#include "weft/core/error.hpp"

namespace weft {

/// One side of a message: its block, and how `deliver(from, to)` brings the one to the other.
template <class M>
concept Message = requires(M& from, M& to) {
  { from.piece } -> std::convertible_to<StridedBytes>;
  M::deliver(from, to);
};

template <Message MessageType>
class Hub {
 public:
  /// Its memory must stay until `finished`, or until `cancel` has returned.
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

  /// Messages of one communicator from one rank to another match in order.
  struct Route {
    std::string communicator;
    int from, to;
    friend auto operator<=>(const Route&, const Route&) = default;
  };
  enum class Side { send, receive };

  explicit Hub(int ranks) : gone_(static_cast<std::size_t>(ranks), false) {}

  int ranks() const { return static_cast<int>(gone_.size()); }

  /// True if the other side was there and the message has been delivered. What is thrown ends both sides, so
  /// that no rank waits for them.
  bool post(const Route& route, Side side, const Posted& mine) {
    Posted other;
    try {
      other = match(route, side, mine);
      if (!other) return false;
      side == Side::send ? MessageType::deliver(mine->message, other->message)
                         : MessageType::deliver(other->message, mine->message);
    } catch (...) {
      mine->become(Post::stopped);
      if (other) other->become(Post::stopped);
      throw;
    }
    mine->become(Post::finished);
    other->become(Post::finished);
    return true;
  }

  void wait(Post& post) const {
    post.state.wait(Post::pending, std::memory_order_acquire);
    if (post.state.load(std::memory_order_acquire) == Post::stopped) throw Stopped(reason());
  }

  /// Cancels an unmatched post; waits for a delivery that has begun.
  void cancel(const Posted& post) {
    {
      std::lock_guard lock(mutex_);
      for (auto& [route, channel] : channels_)
        for (auto* side : {&channel.sends, &channel.receives})
          if (const auto at = std::find(side->begin(), side->end(), post); at != side->end()) {
            side->erase(at);
            return;
          }
    }
    post->state.wait(Post::pending, std::memory_order_acquire);
  }

  /// Ends every wait, now and later; the first reason stays.
  void stop(const std::string& reason) {
    std::lock_guard lock(mutex_);
    stop_locked(reason);
  }

  /// Marks `rank` as ended. A rank that still waits for it would never return, so that is an error.
  void leave(int rank) {
    std::lock_guard lock(mutex_);
    gone_[static_cast<std::size_t>(rank)] = true;
    for (const auto& [route, channel] : channels_) {
      const bool missed =
          (route.from == rank && !channel.receives.empty()) || (route.to == rank && !channel.sends.empty());
      if (missed) return stop_locked(ended(rank, route));
    }
  }

  std::string reason() const {
    std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  struct Channel {
    std::deque<Posted> sends, receives;
  };

  /// The other side, taken off its channel; null if it is not there yet and `mine` now waits for it.
  Posted match(const Route& route, Side side, const Posted& mine) {
    std::lock_guard lock(mutex_);
    if (stopped_) throw Stopped(reason_);
    Channel& channel = channels_[route];
    auto& own = side == Side::send ? channel.sends : channel.receives;
    auto& others = side == Side::send ? channel.receives : channel.sends;
    if (others.empty()) {
      const int peer = side == Side::send ? route.to : route.from;
      if (gone_[static_cast<std::size_t>(peer)]) throw std::runtime_error(ended(peer, route));
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
    for (auto& [route, channel] : channels_)
      for (auto* side : {&channel.sends, &channel.receives}) {
        for (const Posted& post : *side) post->become(Post::stopped);
        side->clear();
      }
  }

  static std::string ended(int rank, const Route& route) {
    return sentence("rank ", rank, " has ended, and rank ", route.from == rank ? route.to : route.from,
                    " still has a message of ", route.communicator, " for it or from it");
  }

  mutable std::mutex mutex_;
  std::map<Route, Channel> channels_;
  std::vector<bool> gone_;
  bool stopped_ = false;
  std::string reason_;
};

}  // namespace weft
