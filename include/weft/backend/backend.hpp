// Backend: a device's memory, its queue and the list of operators on it.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <vector>

#include "weft/backend/counts.hpp"
#include "weft/backend/operators.hpp"
#include "weft/core/dit_shape.hpp"
#include "weft/core/error.hpp"
#include "weft/core/image.hpp"
#include "weft/core/key_mask.hpp"
#include "weft/core/merge.hpp"
#include "weft/core/numbers.hpp"
#include "weft/core/quantile.hpp"
#include "weft/core/sampler_step.hpp"
#include "weft/core/step.hpp"
#include "weft/core/stretches.hpp"
#include "weft/core/tensor.hpp"
#include "weft/core/unset.hpp"

namespace weft::inline v0_1 {

class Lane;

namespace detail {

/// The part of a world that a queue is made from.
struct AnyWorld {
  int workers() const;
  Lane* lane() const;
};

template <class E, class O>
struct OperatorArguments {
  AnyWorld world;
  DitShape shape;
  View<E, 2> matrix;
  View<E, 3> x;
  View<E, 4> heads;
  Stretches<E, 4> stretches;
  Stretches<O, 4> operand_stretches;
  View<O, 4> operand_heads;
  std::vector<HeadMove<E>> head_moves;
  std::vector<HeadProjection<E, O>> head_projections;
  std::vector<View<E, 2>> copies;
  View<float, 3> state;
  View<const float, 3> host_numbers;
  View<float, 1> numbers;
  const float* number;
  const std::uint64_t* seed;
  View<std::byte, 1> bytes;
  View<double, 2> moments;
  View<const double, 3> all_moments;
  LinearWeights<E> linear;
  View<O, 2> operand_rows;
  View<O, 3> operands;
  LinearWeights<E, O> block_linear;
  Epilogue<E> epilogue;
  NormWeights norm;
  Modulation modulation;
  Rotation rotation;
  KeyMask mask;
  ImageShape image;
  void (*body)(Index);
  void (*take)();
  View<float, 2> constants;
  View<float, 4> noise;
  View<QuantileSearch, 1> searches;
  StoredNumbers stored;
  RandomNumbers random;
  MatrixPart part;
};

}  // namespace detail

/// A device's memory, queue and operators. Operators are free functions in the queue's namespace, found by
/// their first argument. They run in the order in which they are queued; only `download` blocks the caller.
/// The memory of views must live until the operators that read them are done. A queue, its buffers and its
/// loaders belong to one thread at a time; different queues may be used at once. `check` throws
/// InvalidArgument, before any work, for a model that the backend cannot run here. `queue.trim` returns the
/// memory of freed buffers, which the queue keeps for later ones, to the device. `Operand` is the type that
/// the linear layers of blocks read: `Element`, or a narrower format that norms, attention and `narrow`
/// write.
template <class B>
concept Backend = requires(typename B::Queue& queue, typename B::Loader& loader, const Tensor& tensor,
                           const detail::OperatorArguments<typename B::Element, typename B::Operand>& a) {
  typename B::Element;
  typename B::Operand;
  typename B::template Buffer<float>;
  {typename B::template Buffer<float>(queue, Index{}, unset)};
  { B::queue(a.world) } -> std::same_as<typename B::Queue>;
  B::check(a.shape);
  queue.span("category", "name", Index{});
  { queue.counts() } -> std::same_as<const QueueCounts&>;
  { queue.step(Index{}) } -> std::same_as<Step>;
  queue.trim();
  queue.replay(queue.record(a.body, Index{}), Index{});
  queue.take_together(a.take);
  { queue.is_dry_run() } -> std::same_as<bool>;
  requires std::constructible_from<typename B::Queue::Milestones, Index, std::function<void(Index)>>;
  linear(queue, a.matrix, a.linear, a.matrix, a.epilogue);
  linear(queue, a.matrix, a.linear, rows_of(a.state));
  linear(queue, a.operand_rows, a.block_linear, a.matrix, a.epilogue);
  linear(queue, a.operand_rows, a.block_linear, a.operand_rows, a.epilogue);
  activate(queue, Activation::silu, a.matrix);
  add(queue, a.matrix, a.matrix, a.matrix);
  add(queue, a.constants, a.constants, a.constants);
  subtract(queue, a.matrix, a.matrix, a.matrix);
  sum_copies(queue, a.copies);
  gated_unit(queue, Activation::silu, a.matrix, a.matrix, a.matrix);
  gated_unit(queue, Activation::silu, a.matrix, a.matrix, a.operand_rows);
  modulate(queue, a.x, a.modulation, a.x);
  modulate(queue, a.x, a.modulation, a.operands);
  norm(queue, a.x, a.norm, a.modulation, a.x);
  norm(queue, a.x, a.norm, a.modulation, a.operands);
  norm_pair(queue, a.x, a.x, a.norm, a.operands);
  norm_rotate(queue, a.heads, &a.norm, a.rotation, a.heads);
  move_heads(queue, a.head_moves);
  project_heads(queue, a.head_projections, a.head_moves, HeadsGo::to_other_ranks);
  attention(queue, a.heads, a.heads, a.heads, a.heads, a.state, Output::merge, a.mask);
  attention(queue, a.heads, a.heads, a.heads, a.stretches, a.state, Output::merge, a.mask);
  attention(queue, a.heads, a.heads, a.heads, a.operand_heads);
  attention(queue, a.heads, a.heads, a.heads, a.operand_stretches, {}, Output::replace, a.mask);
  copy(queue, a.heads, a.heads);
  fill(queue, 1.0f, a.numbers);
  copy_bytes(queue, a.bytes, a.bytes);
  upload(queue, tensor, a.x);
  upload(queue, a.host_numbers, a.x);
  download(queue, a.x);
  noise(queue, a.seed, Step{}, a.image, Index{}, Range{}, a.state);
  guide(queue, a.state, a.number, a.state);
  weigh(queue, a.state, a.constants, Step{}, a.state);
  moments(queue, a.state, a.moments);
  rescale(queue, a.all_moments, a.all_moments, Index{}, a.number, a.state);
  magnitudes(queue, a.constants, Step{}, a.state, a.state, a.state);
  count_digits(queue, a.state, a.searches.data, int{}, a.moments);
  start_searches(queue, a.constants, Step{}, Index{}, a.searches);
  narrow_searches(queue, a.moments, a.searches);
  denoise(queue, a.constants, Step{}, a.state, a.noise, a.searches.data, a.state, a.state);
  requires std::constructible_from<typename B::Loader, typename B::Queue&>;
  loader.fill(a.stored, a.x);
  loader.fill(a.random, a.state);
  loader.fill(a.stored, a.x, a.part);
  loader.fill(a.random, a.state, a.part);
  loader.finish();
};

/// Whether a backend's memory holds numbers; that of one that counts does not.
template <class B>
inline constexpr bool holds_numbers = true;

/// Memory that embed, every block and unembed use in turn. It is measured first: all of them are called with
/// it before `allocate`, in any order. What they take is valid until the next `reset`, and begins at a
/// multiple of 256 bytes, as operators on devices need.
template <class B>
class Scratch {
 public:
  using Element = typename B::Element;

  /// Returns uninitialised memory; before `allocate`, an address at which nothing is. Throws std::logic_error
  /// if more is taken than was measured.
  template <std::size_t Rank>
  View<Element, static_cast<int>(Rank)> take(const std::array<Index, Rank>& extents) {
    View<Element, static_cast<int>(Rank)> out(base_ + next_, extents);
    next_ += (out.size() + alignment - 1) / alignment * alignment;
    if (next_ > most_ && is_allocated_)
      throw std::logic_error(sentence("the model takes ", next_, " elements of scratch, and took ", most_,
                                      " when they were measured: what it takes may depend on extents alone"));
    most_ = std::max(most_, next_);
    return out;
  }

  void reset() { next_ = 0; }

  /// Allocates as much as was taken at most.
  void allocate(typename B::Queue& queue) {
    buffer_ = {queue, most_};
    base_ = buffer_.view(std::array{most_}).data;
    is_allocated_ = true;
    reset();
  }

  /// Returns the elements that were taken at most, each part aligned.
  Index size() const { return most_; }

 private:
  static constexpr Index alignment = 256 / static_cast<Index>(sizeof(Element));

  typename B::template Buffer<Element> buffer_;
  Element* base_ = reinterpret_cast<Element*>(std::uintptr_t{1} << 40);  // nothing is read or written there
  Index next_ = 0, most_ = 0;
  bool is_allocated_ = false;
};

}  // namespace weft::inline v0_1
