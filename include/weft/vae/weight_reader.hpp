// WeightReader: a decoder's weights in a backend's memory, in the order in which its operators read them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weft/backend/image_operators.hpp"
#include "weft/io/weight_files.hpp"
#include "weft/model/weight_source.hpp"

namespace weft::inline v0_1::vae {

/// The parameters of a group norm.
struct NormParameters {
  NormWeights affine{};  // scale and shift (channels)
  Index groups = 0;
};

/// Reads by a function `place(reader)`, which names every weight by the members below and returns where they
/// are, twice: to list the tensors, which the files must have, and to read them.
template <class Backend>
class WeightReader {
 public:
  using Element = typename Backend::Element;
  using Queue = typename Backend::Queue;

  /// The memory of all weights.
  struct Memory {
    std::vector<typename Backend::template Buffer<Element>> elements;
    std::vector<typename Backend::template Buffer<float>> numbers;
  };

  WeightReader(Queue& queue, const WeightFiles& files) : queue_(queue), files_(&files) {}
  /// Takes memory for weights without files, on a backend that counts.
  WeightReader(Queue& queue, ShapesAlone) requires(!holds_numbers<Backend>) : queue_(queue) {}

  /// Returns place(*this) with the weights in `memory`. Throws InvalidArgument, before any weight is read, if
  /// the files have other tensors of a decoder.
  template <class Place>
  auto read(const Place& place, Memory& memory) {
    static_cast<void>(place(*this));
    if (files_) files_->expect(shapes_, {"encoder.", "quant_conv."});
    memory_ = &memory;
    return place(*this);
  }

  /// Returns which of these layers the files have, or the first: old files have other names.
  std::string present(std::initializer_list<std::string> names) const {
    for (const std::string& name : names)
      if (find(name + ".weight")) return name;
    return *names.begin();
  }

  /// Reads a linear layer, or several of the same inputs as one, each of so many outputs. In the files they
  /// are matrices, or convolutions of 1 × 1.
  LinearWeights<Element> linear(const std::vector<std::string>& names, Index outputs, Index inputs) {
    const auto count = static_cast<Index>(names.size());
    for (const std::string& name : names) {
      const SafeTensors::Entry* const entry = find(name + ".weight");
      const bool is_convolution = entry && entry->shape.size() == 4;
      list(name + ".weight", is_convolution ? Shape{outputs, inputs, 1, 1} : Shape{outputs, inputs});
      list(name + ".bias", {outputs});
    }
    if (!memory_) return {};
    const auto join = [this, &names](const char* part) {
      return [this, &names, part](Tensor& all) {
        float* to = all.data.data();
        for (const std::string& name : names) to = convert(name + part, to);
      };
    };
    return {place<Element, 2>({count * outputs, inputs}, memory_->elements, join(".weight")),
            place<Element, 1>({count * outputs}, memory_->elements, join(".bias"))};
  }

  /// Reads a convolution of 3 × 3.
  ConvolutionWeights<Element> convolution(const std::string& name, Index outputs, Index inputs) {
    return convolution(name, outputs, inputs, 1);
  }
  /// Reads one that follows an enlargement to twice the size, and folds it.
  ConvolutionWeights<Element> enlarging_convolution(const std::string& name, Index channels) {
    return convolution(name, channels, channels, 2);
  }

  NormParameters group_norm(const std::string& name, Index channels, Index groups) {
    return {{.scale = vector(name + ".weight", channels), .shift = vector(name + ".bias", channels)}, groups};
  }

 private:
  /// Returns the tap of a phase that reads what row or column `i` of the kernel reads in the enlarged image.
  static constexpr Index folded(Index scale, Index phase, Index i) {
    return scale == 1 ? i : (phase + i + 1) / 2 - phase;
  }

  ConvolutionWeights<Element> convolution(const std::string& name, Index outputs, Index inputs, Index scale) {
    constexpr Index side = 3;
    const Index tap_side = scale == 2 ? 2 : side;
    list(name + ".weight", {outputs, inputs, side, side});
    list(name + ".bias", {outputs});
    if (!memory_) return {};
    const auto fold = [this, &name, outputs, inputs, scale, tap_side](Tensor& taps) {
      Tensor kernel({outputs, inputs, side * side});
      convert(name + ".weight", kernel.data.data());
      const View<const float, 3> from = std::as_const(kernel).template view<3>();
      const View<float, 4> to = taps.template view<4>();
      for (Index o = 0; o < outputs; ++o)  // outermost, so that an output's weights stay in the cache
        for (Index phase = 0; phase < to.extent[0]; ++phase)
          for (Index i = 0; i < side * side; ++i) {
            const Index row = folded(scale, phase / scale, i / side),
                        column = folded(scale, phase % scale, i % side);
            float* const tap = to[phase][row * tap_side + column][o].data;
            for (Index c = 0; c < inputs; ++c) tap[c] += from[o][c][i];
          }
    };
    return {place<Element, 4>({scale * scale, tap_side * tap_side, outputs, inputs}, memory_->elements, fold),
            place<Element, 1>({outputs}, memory_->elements, reading(name + ".bias"))};
  }

  View<const float, 1> vector(const std::string& name, Index size) {
    list(name, {size});
    if (!memory_) return {};
    return place<float, 1>({size}, memory_->numbers, reading(name));
  }

  void list(const std::string& name, const Shape& shape) {
    if (!memory_) shapes_[name] = shape;
  }

  /// Returns a tensor of the files, or null where there is none, or no files.
  const SafeTensors::Entry* find(const std::string& name) const {
    return files_ ? files_->find(name) : nullptr;
  }

  /// Writes a tensor that was listed as float32, and returns where it ends.
  float* convert(const std::string& name, float* to) const {
    const Shape& shape = shapes_.at(name);
    const SafeTensors::Entry& entry = files_->get(name, shape);
    const Index count = element_count(shape);
    to_float(entry.dtype, entry.bytes.data(), static_cast<std::size_t>(count), to);
    return to + count;
  }

  /// Returns a function that reads a listed tensor.
  auto reading(const std::string& name) const {
    return [this, name](Tensor& numbers) { convert(name, numbers.data.data()); };
  }

  /// Places a tensor, whose numbers fill(tensor) writes.
  template <class T, int Rank, class Fill>
  View<const T, Rank> place(const Shape& shape, std::vector<typename Backend::template Buffer<T>>& buffers,
                            const Fill& fill) {
    std::array<Index, Rank> extents{};
    std::copy_n(shape.begin(), Rank, extents.begin());
    const View<T, Rank> to = buffers.emplace_back(queue_, element_count(shape)).view(extents);
    if constexpr (holds_numbers<Backend>) {
      Tensor numbers(shape);
      fill(numbers);
      upload(queue_, numbers, to);
    }
    return to;
  }

  Queue& queue_;
  const WeightFiles* files_ = nullptr;  // null: shapes alone are known
  std::map<std::string, Shape> shapes_;
  Memory* memory_ = nullptr;  // null while the tensors are listed
};

}  // namespace weft::inline v0_1::vae
