// TensorParallel: ranks hold the same tokens, and different slices of the matrices of blocks.
#pragma once

#include <array>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/comm/row_sum.hpp"
#include "weft/comm/strided_bytes.hpp"
#include "weft/policy/local.hpp"

namespace weft::inline v0_1 {

/// The first linear layer of a pair is split by its outputs, which are heads or hidden features, the second
/// by its inputs, and what ranks compute of its output is summed. Shoeybi et al., "Megatron-LM: Training
/// Multi-Billion Parameter Language Models Using Model Parallelism", 2019. Heads and hidden features may be
/// uneven. What is inside of this policy splits the heads of a rank's slice as it would split all.
template <class Inner = Local>
struct TensorParallel : AxisPolicy<Axis::tensor, Inner> {
  using Replaces = Hooks<"prepare", "release", "reduce", "share_columns">;

  template <class Backend, class Communicator>
  class On : public Inner::template On<Backend, Communicator> {
    using Base = typename Inner::template On<Backend, Communicator>;

   public:
    using typename Base::Element;
    using typename Base::Queue;

    On(const auto& world, const Mesh& mesh)
        : Base(world, mesh),
          group_(world.split("tensor", mesh.group(Axis::tensor, world.rank()))),
          constants_(world.split("constants", mesh.group(Axis::tensor, world.rank()))) {}

    void prepare(Queue& queue, const Job& job) {
      Base::prepare(queue, job);
      if (group_.size() == 1 || pushes(group_)) return;
      sum_ = {queue, group_, this->tokens() * job.images, job.model.width};
      reserve(group_, others(group_), sum_.message_bytes());
    }

    void release() {
      Base::release();
      sum_ = {};
    }

    /// Sums as RowSum does, or the same rows on the same members where these reach each other's memory.
    void reduce(Queue& queue, const View<Element, 3>& x) {
      Base::reduce(queue, x);
      if (group_.size() == 1 || x.empty()) return;
      if (pushes(group_))
        sum_where_they_are(queue, rows_of(x));
      else
        sum_(queue, group_, rows_of(x));
    }

    void share_columns(Queue& queue, const View<float, 2>& constants) {
      Base::share_columns(queue, constants);
      if (constants_.size() == 1) return;
      std::vector<StridedBytes> pieces;
      for (int member = 0; member < constants_.size(); ++member) {
        const TensorSlice slice{member, constants_.size()};
        pieces.emplace_back(constants.template slice<1>(slice.of(constants.extent[1])));
      }
      auto gathered = constants_.all_gather(queue, pieces);
      constants_.wait(queue, gathered);
    }

   private:
    /// Reads this member's piece where the others hold it, and stores the sum there.
    void sum_where_they_are(Queue& queue, const View<Element, 2>& rows) {
      if constexpr (Push<Communicator>) {
        const auto memory = group_.exchange_pointers(queue, {rows.data});
        const View<Element, 2> own =
            rows.template slice<0>(split(rows.extent[0], group_.size(), group_.rank()));
        std::vector<View<Element, 2>> copies(memory.size(), own);
        for (std::size_t member = 0; member < memory.size(); ++member)
          copies[member].data = static_cast<Element*>(memory[member].front()) + (own.data - rows.data);
        group_.barrier(queue);
        sum_copies(queue, copies);
        const Index others = group_.size() - 1, numbers = rows.size() - own.size() + others * own.size();
        group_.pushed(queue, {2 * others, numbers * static_cast<Index>(sizeof(Element))});
      }
    }

    Communicator group_, constants_;  // apart, since receive buffers are reserved for sums alone
    RowSum<Backend, Element> sum_;
  };
};

}  // namespace weft::inline v0_1
