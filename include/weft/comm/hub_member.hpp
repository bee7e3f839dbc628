// HubMember: what communicators of ranks that are threads of one process have in common.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/comm/hub.hpp"
#include "weft/comm/members.hpp"

namespace weft::inline v0_1 {

/// The posts of one operation. Destroyed or replaced before it was waited for, it cancels them, or waits for
/// deliveries that have begun; so memory that was posted must outlive it. Movable, and of one thread.
template <class HubType>
class HubEvent {
 public:
  using Posts = std::vector<typename HubType::Posted>;

  HubEvent() = default;
  explicit HubEvent(HubType& hub) : hub_(&hub) {}
  HubEvent(HubEvent&&) = default;
  HubEvent& operator=(HubEvent&& other) noexcept {
    drop();
    hub_ = other.hub_;
    posts_ = std::exchange(other.posts_, {});
    return *this;
  }
  ~HubEvent() { drop(); }

  void add(typename HubType::Posted post) { posts_.push_back(std::move(post)); }
  const Posts& posts() const { return posts_; }
  /// Forgets the posts, which have been waited for.
  void clear() { posts_.clear(); }

 private:
  void drop() {
    for (const auto& post : posts_) hub_->cancel(post);
    posts_.clear();
  }

  HubType* hub_ = nullptr;
  Posts posts_;
};

/// A rank as a member of a group of a hub's ranks; at first, of all of them.
template <class HubType>
class HubMember {
 public:
  int rank() const { return members_.rank(); }
  int size() const { return members_.size(); }

  /// Returns what this rank has sent so far, by the name of the communicator.
  const TrafficByName& traffic() const { return *traffic_; }

 protected:
  HubMember(HubType& hub, int rank)
      : hub_(&hub), traffic_(std::make_shared<TrafficByName>()), members_(hub.ranks(), rank) {}

  /// Narrows the group to `members`, which are ranks of the group so far.
  void become_member_of(std::string_view name, const std::vector<int>& members) {
    members_ = members_.some(members);
    name_ = name;
  }

  HubType& hub() const { return *hub_; }
  const std::string& name() const { return name_; }
  const Members& members() const { return members_; }
  int world_rank(int member) const { return members_.world_rank(member); }

  void count(const Traffic& sent) { (*traffic_)[name_] += sent; }

  /// Posts one side of a message; returns whether it has been delivered.
  bool post_send(const typename HubType::Posted& post, int to) {
    return hub_->post({name_, world_rank(rank()), world_rank(to)}, HubType::Side::send, post);
  }
  bool post_receive(const typename HubType::Posted& post, int from) {
    return hub_->post({name_, world_rank(from), world_rank(rank())}, HubType::Side::receive, post);
  }

 private:
  HubType* hub_;
  std::shared_ptr<TrafficByName> traffic_;
  std::string name_ = "world";
  Members members_;
};

}  // namespace weft::inline v0_1
