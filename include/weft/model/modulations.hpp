// Modulations: what times and texts do to blocks, for all steps before the first.
#pragma once

#include <numeric>
#include <utility>
#include <vector>

#include "weft/backend/operators.hpp"

namespace weft::inline v0_1 {

/// Shifts, scales and gates of every block at every step: linear layers of SiLU(embedding), as adaLN-Zero has
/// them. Peebles and Xie, "Scalable Diffusion Models with Transformers", 2022.
template <class Backend>
class Modulations {
 public:
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  Modulations() = default;
  /// Takes memory for `sizes[i]` vectors of so many features each in slot i.
  Modulations(Queue& queue, const std::vector<Index>& sizes, Index steps, Index images, Index width)
      : steps_(steps), images_(images), width_(width), first_{0} {
    for (const Index size : sizes) first_.push_back(first_.back() + steps * images * size * width);
    memory_ = {queue, first_.back()};
  }

  /// Returns the number of the last slot.
  Index last() const { return static_cast<Index>(first_.size()) - 2; }

  /// Returns the memory for the outputs of slot i's layer: (steps · images, vectors · width).
  View<float, 2> outputs(Index slot) const {
    return memory_.view(std::array{memory_.size()})
        .template slice<0>({first(slot), first(slot + 1)})
        .unfold(vectors(slot) * width_);
  }

  /// Returns vector `part` of slot i: (steps, images, width).
  View<const float, 3> vector(Index slot, Index part) const {
    const View<float, 3> all(outputs(slot).data, {steps_, images_, vectors(slot) * width_});
    return all.template slice<2>({part * width_, (part + 1) * width_});
  }
  /// Returns y · (1 + scale) + shift as a modulation.
  Modulation modulation(Index slot, Index shift, Index scale, Step step) const {
    return {.scale = vector(slot, scale), .shift = vector(slot, shift), .step = step};
  }
  Gate gate(Index slot, Index part, Step step) const { return {vector(slot, part), step}; }

 private:
  Index first(Index slot) const { return first_[static_cast<std::size_t>(slot)]; }
  Index vectors(Index slot) const { return (first(slot + 1) - first(slot)) / (steps_ * images_ * width_); }

  Index steps_ = 0, images_ = 0, width_ = 0;
  std::vector<Index> first_;  // number of every slot
  typename Backend::template Buffer<float> memory_;
};

/// Returns SiLU(embedding) of (rows, width), which must live while the layers read it.
template <class Backend>
typename Backend::template Buffer<typename Backend::Element> activated(
    typename Backend::Queue& queue, const View<const typename Backend::Element, 2>& embedding) {
  typename Backend::template Buffer<typename Backend::Element> out(queue, embedding.size());
  const auto x = out.view(embedding.extent);
  copy(queue, embedding, x);
  activate(queue, Activation::silu, x);
  return out;
}

}  // namespace weft::inline v0_1
