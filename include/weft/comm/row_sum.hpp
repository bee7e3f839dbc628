// RowSum: the sum of rows over the members of a communicator, by messages.
#pragma once

#include <array>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/comm/strided_bytes.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// Every member sums a piece of the rows, of which the others send it their parts, and sends them the sum:
/// 2 (N − 1) / N of the rows. Parts are added in the order of members, so that all get the same bits in every
/// run.
template <class Backend, class T>
class RowSum {
 public:
  using Queue = typename Backend::Queue;

  RowSum() = default;
  /// Takes the memory for sums of (rows, width) at most among the members of `group`.
  template <Communicator Group>
  RowSum(Queue& queue, const Group& group, Index rows, Index width) {
    if (group.size() == 1) return;
    most_ = piece(rows, group, group.size() - 1).size() * width;
    parts_ = {queue, (group.size() - 1) * most_};
  }

  /// Returns the bytes of the largest message.
  Index message_bytes() const { return most_ * static_cast<Index>(sizeof(T)); }

  /// Replaces x (rows, width) by its sum over the group, whose members call it together.
  template <Communicator Group>
  void operator()(Queue& queue, Group& group, const View<T, 2>& x) const {
    if (group.size() == 1) return;
    const auto piece_of = [&group, &x](int member) {
      return x.template slice<0>(piece(x.extent[0], group, member));
    };
    const View<T, 2> own = piece_of(group.rank());
    std::vector<Addressed> sends, receives;
    std::vector<StridedBytes> pieces;
    for (int member = 0; member < group.size(); ++member) {
      pieces.emplace_back(piece_of(member));
      if (member == group.rank()) continue;
      sends.push_back({member, piece_of(member)});
      receives.push_back({member, part(group, member, own)});
    }
    auto exchanged = group.all_to_all(queue, sends, receives);
    group.wait(queue, exchanged);
    if (!own.empty()) add_parts(queue, group, own);
    auto gathered = group.all_gather(queue, pieces);
    group.wait(queue, gathered);
  }

 private:
  /// Returns which of so many rows a member sums.
  template <class Group>
  static Range piece(Index rows, const Group& group, int member) {
    return split(rows, group.size(), member);
  }

  /// Returns a member's part of this rank's piece, which is `own`: (rows, width).
  template <class Group>
  View<T, 2> part(const Group& group, int member, const View<T, 2>& own) const {
    if (member == group.rank()) return own;
    const int slot = member - (member > group.rank() ? 1 : 0);
    return {parts_.view(std::array{parts_.size()}).data + slot * own.size(), own.extent};
  }

  /// Adds all members' parts to `own`. The sum so far is in the first part until the last one is added.
  template <class Group>
  void add_parts(Queue& queue, const Group& group, const View<T, 2>& own) const {
    const int last = group.size() - 1;
    const View<T, 2> sum = part(group, 0, own);
    for (int member = 1; member <= last; ++member)
      add(queue, sum, part(group, member, own), member == last ? own : sum);
  }

  Index most_ = 0;                              // numbers of a piece
  typename Backend::template Buffer<T> parts_;  // (other members, rows of a piece, width)
};

}  // namespace weft::inline v0_1
