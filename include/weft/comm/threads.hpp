// The communicator of ranks that are threads of one process, on the host.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/backend/host/queue.hpp"
#include "weft/comm/communicator.hpp"
#include "weft/comm/hub.hpp"

namespace weft::threads {

struct Message {
  Block block;

  static void deliver(const Message& from, const Message& to) { copy_block(from.block, to.block); }
};
using Hub = weft::Hub<Message>;

/// What a rank waits for. Dropped before that, it takes back what was posted.
class Event {
 public:
  Event() = default;
  Event(Event&&) = default;
  Event& operator=(Event&& other) noexcept {
    drop();
    hub_ = other.hub_;
    posts_ = std::move(other.posts_);
    return *this;
  }
  ~Event() { drop(); }

 private:
  friend class Communicator;

  explicit Event(Hub& hub) : hub_(&hub) {}

  void drop() {
    for (const Hub::Posted& post : posts_) hub_->cancel(post);
    posts_.clear();
  }

  Hub* hub_ = nullptr;
  std::vector<Hub::Posted> posts_;  // that were not matched at once
};

/// Satisfies every concept of communicator.hpp.
class Communicator {
 public:
  using Queue = host::Queue;
  using Event = threads::Event;

  /// Of the whole world; `rank` is the caller's.
  Communicator(Hub& hub, int ranks, int rank)
      : hub_(&hub),
        traffic_(std::make_shared<std::map<std::string, Traffic, std::less<>>>()),
        name_("world") {
    for (int r = 0; r < ranks; ++r) members_.push_back(r);
    rank_ = rank;
  }

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(members_.size()); }

  /// `members` are ranks of this communicator, its caller among them; `name` tells it apart in traces, in
  /// traffic and from other splits of the same ranks.
  Communicator split(std::string_view name, const std::vector<int>& members) const {
    Communicator out = *this;
    out.name_ = name;
    out.members_.clear();
    for (int member : members) out.members_.push_back(members_[static_cast<std::size_t>(member)]);
    const auto self = std::find(members.begin(), members.end(), rank_);
    if (self == members.end()) throw std::logic_error("a rank can only split off a group that it is in");
    out.rank_ = static_cast<int>(self - members.begin());
    return out;
  }

  Event send(Queue& queue, const Block& block, int to) {
    Event event(*hub_);
    post_send(queue, event, block, to);
    return event;
  }

  Event receive(Queue& queue, const Block& block, int from) {
    Event event(*hub_);
    post_receive(queue, event, block, from);
    return event;
  }

  Event all_to_all(Queue& queue, std::span<const Addressed> sends, std::span<const Addressed> receives) {
    Event event(*hub_);
    for (const auto& [peer, block] : receives) post_receive(queue, event, block, peer);
    for (const auto& [peer, block] : sends) post_send(queue, event, block, peer);
    return event;
  }

  Event all_gather(Queue& queue, std::span<const Block> blocks) {
    Event event(*hub_);
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank_) continue;
      post_receive(queue, event, blocks[static_cast<std::size_t>(peer)], peer);
      post_send(queue, event, blocks[static_cast<std::size_t>(rank_)], peer);
    }
    return event;
  }

  void all_reduce(Queue& queue, const View<double, 1>& values) { sum_in_order(*this, queue, values); }

  /// Throws Stopped if another rank fails before the event comes.
  void wait(Queue& queue, Event& event) {
    if (event.posts_.empty()) return;
    const auto span = queue.span("wait", name_.c_str());
    for (const Hub::Posted& post : event.posts_) hub_->wait(*post);
    event.posts_.clear();
  }

  /// What this rank has sent so far, by the name of the communicator.
  const std::map<std::string, Traffic, std::less<>>& traffic() const { return *traffic_; }

 private:
  int world_rank(int member) const { return members_[static_cast<std::size_t>(member)]; }

  void post_send(Queue& queue, Event& event, const Block& block, int to) {
    if (block.bytes() == 0) return;
    Traffic& sent = (*traffic_)[name_];
    sent.calls += 1, sent.bytes += block.bytes();
    const auto span = queue.span("send", name_.c_str(), world_rank(to), block.bytes());
    post(event, {name_, world_rank(rank_), world_rank(to)}, Hub::Side::send, block);
  }

  void post_receive(Queue& queue, Event& event, const Block& block, int from) {
    if (block.bytes() == 0) return;
    const auto span = queue.span("receive", name_.c_str(), world_rank(from), block.bytes());
    post(event, {name_, world_rank(from), world_rank(rank_)}, Hub::Side::receive, block);
  }

  void post(Event& event, const Hub::Route& route, Hub::Side side, const Block& block) {
    const auto mine = std::make_shared<Hub::Post>(Message{block});
    if (!hub_->post(route, side, mine)) event.posts_.push_back(mine);
  }

  Hub* hub_;
  std::shared_ptr<std::map<std::string, Traffic, std::less<>>> traffic_;
  std::string name_;
  std::vector<int> members_;  // ranks of the world
  int rank_;
};

}  // namespace weft::threads
