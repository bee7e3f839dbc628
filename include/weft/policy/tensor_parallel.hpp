// TensorParallel: ranks hold the same tokens, and different slices of the matrices of blocks.
#pragma once

#include <array>
#include <vector>

#include "weft/comm/communicator.hpp"
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
      const Index most = piece(this->tokens() * job.images, group_.size() - 1).size() * job.model.width;
      reserve(group_, others(group_), most * static_cast<Index>(sizeof(Element)));
      parts_ = {queue, (group_.size() - 1) * most};
    }

    void release() {
      Base::release();
      parts_ = {};
    }

    /// Every member sums a piece of the rows, of which the others send it their parts, and sends them the
    /// sum: 2 (N − 1) / N of x. Parts are added in the order of members, so that all get the same bits in
    /// every run.
    void reduce(Queue& queue, const View<Element, 3>& x) {
      Base::reduce(queue, x);
      if (group_.size() == 1 || x.empty()) return;
      if (pushes(group_))
        sum_where_they_are(queue, rows_of(x));
      else
        exchange_parts(queue, rows_of(x));
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
        const View<Element, 2> own = rows.template slice<0>(piece(rows.extent[0], group_.rank()));
        std::vector<View<Element, 2>> copies(memory.size(), own);
        for (std::size_t member = 0; member < memory.size(); ++member)
          copies[member].data = static_cast<Element*>(memory[member].front()) + (own.data - rows.data);
        group_.barrier(queue);
        sum_copies(queue, copies);
        const Index others = group_.size() - 1, numbers = rows.size() - own.size() + others * own.size();
        group_.pushed(queue, {2 * others, numbers * static_cast<Index>(sizeof(Element))});
      }
    }

    void exchange_parts(Queue& queue, const View<Element, 2>& rows) {
      const auto piece_of = [this, &rows](int member) {
        return rows.template slice<0>(piece(rows.extent[0], member));
      };
      const View<Element, 2> own = piece_of(group_.rank());
      std::vector<Addressed> sends, receives;
      std::vector<StridedBytes> pieces;
      for (int member = 0; member < group_.size(); ++member) {
        pieces.emplace_back(piece_of(member));
        if (member == group_.rank()) continue;
        sends.push_back({member, piece_of(member)});
        receives.push_back({member, part(member, own)});
      }
      auto exchanged = group_.all_to_all(queue, sends, receives);
      group_.wait(queue, exchanged);
      if (!own.empty()) add_parts(queue, own);
      auto gathered = group_.all_gather(queue, pieces);
      group_.wait(queue, gathered);
    }

    /// Returns which of so many rows a member sums.
    Range piece(Index rows, int member) const { return split(rows, group_.size(), member); }

    /// Returns a member's part of this rank's piece, which is `own`: (rows, width).
    View<Element, 2> part(int member, const View<Element, 2>& own) const {
      if (member == group_.rank()) return own;
      const int slot = member - (member > group_.rank() ? 1 : 0);
      return {parts_.view(std::array{parts_.size()}).data + slot * own.size(), own.extent};
    }

    /// Adds all members' parts to `own`. The sum so far is in the first part until the last one is added.
    void add_parts(Queue& queue, const View<Element, 2>& own) {
      const int last = group_.size() - 1;
      const View<Element, 2> sum = part(0, own);
      for (int member = 1; member <= last; ++member)
        add(queue, sum, part(member, own), member == last ? own : sum);
    }

    Communicator group_, constants_;  // apart, since receive buffers are reserved for sums alone
    typename Backend::template Buffer<Element> parts_;  // (other members, rows of a piece, width)
  };
};

}  // namespace weft::inline v0_1
