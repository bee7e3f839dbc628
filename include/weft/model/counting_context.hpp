// CountingContext: the context with which a model's own code is counted, on whatever backend its weights are.
#pragma once

#include "weft/backend/counting/operators.hpp"
#include "weft/model/dit.hpp"

namespace weft::inline v0_1::detail {

/// Models AnyContext. Operators append to its queue; attention appends the projections of its heads and one
/// Work of kind `heads`, which those price who know the policies.
template <class Backend>
class CountingContext {
 public:
  using Element = typename Backend::Element;

  /// Makes the context of `rows`, of which the first are `prefix_rows`, for a model that holds `slice` of its
  /// blocks' matrices. The queue and the scratch must outlive it.
  CountingContext(counting::Queue& queue, Scratch<Backend>& scratch, Range rows, Range prefix_rows,
                  TensorSlice slice = {})
      : queue_(queue), scratch_(scratch), rows_(rows), prefix_rows_(prefix_rows), slice_(slice) {
    scratch_.reset();
  }

  counting::Queue& queue() { return queue_; }
  Scratch<Backend>& scratch() { return scratch_; }
  Range rows() const { return rows_; }
  Range prefix_rows() const { return prefix_rows_; }
  Step step() const { return {}; }

  template <class Out>
  void attend(const HeadsOf<Backend>& heads, const View<Out, 4>&, Among among = Among::sequence) {
    counting::layers_of_heads(queue_, heads.projections(), heads.q.extent[3]);
    queue_.append({.kind = counting::WorkKind::heads,
                   .m = heads.q.extent[0],
                   .n = among == Among::image ? 1 : 0,
                   .k = heads.q.extent[1] * heads.q.extent[2],
                   .head_dim = heads.q.extent[3]});
  }
  void reduce(const View<Element, 3>& x) {
    if (slice_.count > 1 && !x.empty())
      queue_.append({.kind = counting::WorkKind::sum, .m = x.extent[0] * x.extent[1], .n = x.extent[2]});
  }
  View<const Element, 3> once(const View<const Element, 3>& x) const {
    return slice_.is_first() ? x : View<const Element, 3>();
  }

 private:
  counting::Queue& queue_;
  Scratch<Backend>& scratch_;
  Range rows_, prefix_rows_;
  TensorSlice slice_;
};

}  // namespace weft::inline v0_1::detail
