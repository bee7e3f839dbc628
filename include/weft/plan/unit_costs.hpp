// UnitCosts: the costs of a mesh's units, each computed once.
#pragma once

#include <map>
#include <utility>

#include "weft/plan/block_cost.hpp"

namespace weft::inline v0_1::planner {

/// The costs of a unit of tokens on one rank.
struct UnitCost {
  std::map<Index, BlockCost> kinds;  // of blocks
  double ends = 0;                   // seconds of embed and unembed
  double bytes = 0;                  // of activations, between stages
  double guidance = 0;               // seconds in which branches are exchanged
};

/// The cost model must outlive it.
class UnitCosts {
 public:
  explicit UnitCosts(const CostModel& cost) : cost_(cost) {}

  /// Returns the cost of these tokens of the sequence.
  const UnitCost& of(Range tokens) {
    const Index prefix = common(tokens, {0, cost_.work->prefix()}).size();
    const auto [at, is_new] = costs_.try_emplace(std::pair(tokens.size(), prefix));
    if (is_new) at->second = computed(tokens);
    return at->second;
  }
  const BlockCost& block(const UnitCost& unit, Index i) const { return unit.kinds.at(cost_.work->kind(i)); }

 private:
  UnitCost computed(Range tokens) const {
    const DitShape& model = cost_.model();
    const Index rows = cost_.rows(tokens.size()), features = model.channels * model.patch * model.patch;
    const auto prediction = static_cast<double>(rows * cost_.request.prompts * features * 4);
    UnitCost out{.kinds = {},
                 .ends = cost_.ends(tokens),
                 .bytes = cost_.activations(rows),
                 .guidance = exchange_seconds(cost_.hardware, prediction, group_of(cost_.mesh, Axis::cfg),
                                              cost_.engine.carrier)};
    for (Index i = 0; i < model.blocks; ++i)
      if (cost_.work->kind(i) == i) out.kinds[i] = cost_.block(i, tokens);
    return out;
  }

  const CostModel& cost_;
  std::map<std::pair<Index, Index>, UnitCost> costs_;  // by the numbers of tokens and of those of the prefix
};

}  // namespace weft::inline v0_1::planner
