// Members: the ranks of the world that form a communicator, and the caller's rank among them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"

namespace weft::inline v0_1 {

class Members {
 public:
  /// Makes the members of the whole world.
  Members(int ranks, int rank) : rank_(rank) {
    for (int r = 0; r < ranks; ++r) of_world_.push_back(r);
  }

  /// Returns a subset of these members, given by their ranks here. Throws std::logic_error unless all are
  /// members, each once, and the caller is one of them.
  [[nodiscard]] Members some(const std::vector<int>& members) const {
    const auto self = std::ranges::find(members, rank_);
    if (self == members.end()) throw std::logic_error("a rank can only split off a group that it is in");
    std::vector<int> sorted = members;
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
      throw std::logic_error(sentence("a group that is split off has rank ", *twice, " twice"));
    std::vector<int> of_world;
    for (int member : members) of_world.push_back(world_rank(member));
    return {std::move(of_world), static_cast<int>(self - members.begin())};
  }

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(of_world_.size()); }
  /// Throws std::logic_error if there is no such member.
  int world_rank(int member) const {
    if (member < 0 || member >= size())
      throw std::logic_error(sentence("there is no rank ", member, " in a group of ", size()));
    return of_world_[static_cast<std::size_t>(member)];
  }
  /// The world rank of every member, in order.
  const std::vector<int>& of_world() const { return of_world_; }

 private:
  Members(std::vector<int> of_world, int rank) : of_world_(std::move(of_world)), rank_(rank) {}

  std::vector<int> of_world_;
  int rank_;
};

}  // namespace weft::inline v0_1
