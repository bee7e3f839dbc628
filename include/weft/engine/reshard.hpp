// reshard: states, from the tokens that ranks hold to the rows that they are to hold.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "weft/backend/backend.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/grid.hpp"
#include "weft/core/tensor.hpp"
#include "weft/policy/tokens.hpp"

namespace weft::inline v0_1 {

/// The elements of states that a rank holds: those of some images' tokens.
struct TokenShard {
  Range images;
  Rows rows;
};

namespace detail {

/// The ranks that are to hold the rows of a tensor (…, height, width), of which no two share any.
class RowOwners {
 public:
  RowOwners(Index height, Index width, std::vector<Range> rows)
      : width_(width), rows_(std::move(rows)), owners_(static_cast<std::size_t>(height), -1) {
    for (std::size_t rank = 0; rank < rows_.size(); ++rank)
      std::fill(owners_.begin() + rows_[rank].begin, owners_.begin() + rows_[rank].end,
                static_cast<int>(rank));
  }

  Range rows(int rank) const { return rows_[static_cast<std::size_t>(rank)]; }

  /// Returns the rank that is to hold an element, or −1.
  int owner(Index element) const { return owners_[static_cast<std::size_t>(row(element))]; }

  /// Returns an element's index among those of its owner.
  Index place(Index element) const {
    const Range own = rows(owner(element));
    const Index plane = element / (height() * width_);
    return (plane * own.size() + row(element) - own.begin) * width_ + element % width_;
  }

 private:
  Index height() const { return static_cast<Index>(owners_.size()); }
  Index row(Index element) const { return element / width_ % height(); }

  Index width_;
  std::vector<Range> rows_;
  std::vector<int> owners_;  // of each row
};

}  // namespace detail

/// Returns this rank's rows of `states` states: (states, the grid's extents), with so many rows, which may be
/// none. `tokens` (rows, images, features) are what this rank holds; all ranks
/// give the same `shards` and `rows`, one a rank: what they hold, and what they are to hold. No two shards
/// share an element. All ranks call it together; each sends at most one message
/// to every other.
template <class Backend, World WorldType, Grid G>
[[nodiscard]] Tensor reshard(typename Backend::Queue& queue, WorldType& world, const View<float, 3>& tokens,
                             const G& grid, Index states, const std::vector<TokenShard>& shards,
                             std::vector<Range> rows) {
  using Buffer = typename Backend::template Buffer<float>;
  const auto extents = grid.extents();
  const auto ranks = static_cast<std::size_t>(world.size()), own = static_cast<std::size_t>(world.rank());
  const detail::RowOwners owners(extents[extents.size() - 2], extents.back(), std::move(rows));
  const auto for_each_element = [&grid, &shards](std::size_t rank, const auto& body) {
    detail::for_each_element(grid, shards[rank].images, shards[rank].rows, body);
  };

  std::vector<std::vector<float>> outgoing(ranks);  // to each rank, this one included
  if (!tokens.empty() && !shards[own].images.empty()) {
    const Tensor held = download(queue, tokens);
    for_each_element(own, [&held, &owners, &outgoing](Index in_states, Index in_tokens) {
      const int to = owners.owner(in_states);
      if (to >= 0)
        outgoing[static_cast<std::size_t>(to)].push_back(held.data[static_cast<std::size_t>(in_tokens)]);
    });
  }
  std::vector<std::vector<Index>> places(ranks);  // of the elements that come from each rank
  for (std::size_t rank = 0; rank < ranks; ++rank)
    for_each_element(rank, [&owners, &world, &from = places[rank]](Index in_states, Index) {
      if (owners.owner(in_states) == world.rank()) from.push_back(owners.place(in_states));
    });

  std::vector<Buffer> buffers;
  const auto memory = [&queue, &buffers](std::size_t count) {
    const auto size = static_cast<Index>(count);
    return buffers.emplace_back(queue, size).view(std::array{size});
  };
  std::vector<Addressed> sends, receives;
  std::vector<View<float, 1>> incoming(ranks);
  for (const int peer : others(world)) {
    const auto i = static_cast<std::size_t>(peer);
    if (!outgoing[i].empty()) {
      const View<float, 1> message = memory(outgoing[i].size());
      upload(queue, Tensor({message.size()}, std::move(outgoing[i])), message);
      sends.push_back({peer, message});
    }
    if (!places[i].empty()) {
      incoming[i] = memory(places[i].size());
      receives.push_back({peer, incoming[i]});
    }
  }
  auto event = world.all_to_all(queue, sends, receives);
  world.wait(queue, event);

  Shape shape{states};
  shape.insert(shape.end(), extents.begin(), extents.end());
  shape[shape.size() - 2] = owners.rows(world.rank()).size();
  Tensor out(std::move(shape));
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    if (places[rank].empty()) continue;
    const std::vector<float> values =
        rank == own ? std::move(outgoing[own]) : std::move(download(queue, incoming[rank]).data);
    for (std::size_t i = 0; i < values.size(); ++i)
      out.data[static_cast<std::size_t>(places[rank][i])] = values[i];
  }
  return out;
}

}  // namespace weft::inline v0_1
