// WeightLoader: a model's weights in a backend's memory, by their names in a source.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <map>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/backend/arena.hpp"
#include "weft/backend/operators.hpp"
#include "weft/core/tensor.hpp"
#include "weft/model/features.hpp"
#include "weft/model/portion.hpp"
#include "weft/model/weight_source.hpp"

namespace weft::inline v0_1 {

/// A linear layer of a block's tokens, whose operands may be narrower than elements.
template <class Backend>
using BlockLinear = LinearWeights<typename Backend::Element, typename Backend::Operand>;

/// The memory of a model's weights.
template <class Backend>
struct WeightMemory {
  typename Backend::template Buffer<std::byte> bytes;
  std::vector<Range> sections;  // bytes: what all blocks share, then each block; empty: not here
  std::vector<Index> staged{};  // bytes of each section's weights before they were narrowed
  TensorSlice slice{};          // that they hold of the blocks' matrices

  bool has_section(std::size_t i) const { return i < sections.size() && !sections[i].empty(); }
  View<std::byte, 1> view(Range range) const {
    return {bytes.view(std::array{bytes.size()}).data + range.begin, {range.size()}};
  }
};

/// Loads by a model's function `place(loader)`, which names every weight by the members below and returns
/// where they are, three times: to list the tensors, which the source must have, to measure them and to load
/// them. So every name and shape stands once.
template <class Backend, WeightSource Source>
class WeightLoader {
 public:
  using Element = typename Backend::Element;
  using Operand = typename Backend::Operand;
  using Queue = typename Backend::Queue;
  using Linear = LinearWeights<Element>;

  /// Loads a portion. What one of `others` has of the same slice, which are of the same settings and in the
  /// memory of any device, is copied from there.
  WeightLoader(Queue& queue, const Source& source, Portion wanted,
               std::vector<const WeightMemory<Backend>*> others)
      : queue_(queue),
        loader_(queue),
        source_(source),
        wanted_(std::move(wanted)),
        others_(std::move(others)) {
    std::erase_if(others_, [this](const auto* other) { return other->slice != wanted_.slice; });
  }

  /// Returns the slice of the blocks' matrices that is loaded.
  TensorSlice slice() const { return wanted_.slice; }

  /// Returns the tensors that `place` names, and their shapes. No weight is read.
  template <class Place>
  const std::map<std::string, Shape>& list(const Place& place) {
    static_cast<void>(place(*this));
    return tensors_;
  }

  /// Returns place(*this) with the weights in `memory`. Throws InvalidArgument, before any weight is read, if
  /// the source has other tensors.
  template <class Place>
  auto load(const Place& place, WeightMemory<Backend>& memory) {
    source_.expect(list(place));
    pass_ = Pass::measure;
    sections_.clear();
    staged_.clear();
    static_cast<void>(place(*this));
    pass_ = Pass::load;
    sections_.clear();
    all_ = used();
    memory_.allocate(queue_);
    if constexpr (narrows) wide_.allocate(queue_);
    auto weights = place(*this);
    loader_.finish();
    tell(all_);
    if constexpr (narrows) {
      for (const Narrowing& layer : narrowings_) narrow_weights(queue_, layer.from, layer.to, layer.scale);
      queue_.synchronize();  // before the wide ones go
    }
    memory = {memory_.release(), std::move(sections_), std::move(staged_), wanted_.slice};
    for (const Copy& copied : copies_)
      copy_bytes(queue_, copied.other->view(copied.from), memory.view(copied.to));
    return weights;
  }

  /// Places what all blocks share, before `blocks`.
  template <class PlaceShared>
  auto shared(const PlaceShared& place) {
    return section(0, place);
  }

  /// Places the blocks of `range` by place(i); those that are not wanted stay empty.
  template <class PlaceBlock>
  auto blocks(Range range, const PlaceBlock& place) {
    std::vector<decltype(place(Index{}))> out(static_cast<std::size_t>(range.size()));
    for (Index i = range.begin; i < range.end; ++i) {
      const bool is_wanted =
          pass_ == Pass::list || wanted_.blocks.empty() ||
          std::ranges::any_of(wanted_.blocks, [i](const Range& some) { return some.contains(i); });
      if (is_wanted)
        out[static_cast<std::size_t>(i - range.begin)] = section(i + 1, [&place, i] { return place(i); });
    }
    return out;
  }

  /// Places "name.weight" (outputs, inputs) and "name.bias" (outputs).
  Linear linear(const std::string& name, Index outputs, Index inputs) {
    return stacked(memory_, {name}, outputs, inputs);
  }
  /// Places several layers of the same inputs as one, each of so many outputs. Where inputs are on several
  /// ranks, the bias is with the first of them alone, so that a sum over ranks has it once.
  Linear linear(std::initializer_list<std::string> names, const Features& outputs, const Features& inputs) {
    return stacked(memory_, names, outputs, inputs);
  }
  /// Places the same for layers without biases.
  Linear product(std::initializer_list<std::string> names, const Features& outputs, const Features& inputs) {
    return {stacked_weights(memory_, names, outputs, inputs), {}};
  }
  /// Places the same for a block's tokens.
  BlockLinear<Backend> block_linear(std::initializer_list<std::string> names, const Features& outputs,
                                    const Features& inputs) {
    if constexpr (narrows) {
      const Linear wide = stacked(is_copied_ ? nowhere_ : wide_, names, outputs, inputs);
      const auto weight = take<Operand>(wide.weight.extent);
      const auto scale = take<float>(std::array{Index{1}});
      if (is_loading()) narrowings_.push_back({wide.weight, weight, scale});
      return {weight, wide.bias, scale};
    } else {
      return stacked(memory_, names, outputs, inputs);
    }
  }

  /// Places a convolution of patches, "name.weight" (outputs, channels, patch, patch), as a linear layer of
  /// tokens.
  Linear patches(const std::string& name, Index outputs, Index channels, Index patch) {
    const Index inputs = channels * patch * patch;
    return placed(name, {outputs, channels, patch, patch}, outputs, inputs);
  }

  /// diffusers' outputs are (row, column, channel) of a token; these are (channel, row, column), as `patches`
  /// has its inputs, so that state and prediction have one layout.
  Linear channel_major(const std::string& name, Index channels, Index patch, Index inputs) {
    const Index area = patch * patch;
    expect(name + ".weight", {channels * area, inputs});
    expect(name + ".bias", {channels * area});
    const auto weight = take<Element>(std::array{channels * area, inputs});
    const auto bias = take<Element>(std::array{channels * area});
    fill(name + ".weight",
         View<Element, 3>(weight.data, {area, channels, inputs}, {inputs, area * inputs, 1}));
    fill(name + ".bias", View<Element, 3>(bias.data, {area, channels, 1}, {1, area, 1}));
    return {weight, bias};
  }

  /// Places the scale of a norm without a shift, "name.weight" (features).
  NormWeights rms_norm(const std::string& name, Index features) {
    return {.scale = vector(name + ".weight", features), .kind = NormKind::rms};
  }

  /// Places "name.weight" and "name.bias" (features) of LayerNorm.
  NormWeights layer_norm(const std::string& name, Index features) {
    const View<const float, 1> scale = vector(name + ".weight", features);
    return {.scale = scale, .shift = vector(name + ".bias", features)};
  }

  View<const float, 1> vector(const std::string& name, Index size) {
    expect(name, {size});
    const auto out = take<float>(std::array{size});
    fill(name, View<float, 3>(out.data, {1, 1, size}));
    return out;
  }
  /// Places a tensor of `shape`, whose last dimensions are (rows, columns).
  View<const float, 2> table(const std::string& name, const Shape& shape) {
    expect(name, shape);
    const auto out = take<float>(std::array{element_count(shape) / shape.back(), shape.back()});
    fill(name, View<float, 3>(out.data, {1, out.extent[0], out.extent[1]}));
    return out;
  }

 private:
  enum class Pass { list, measure, load };
  static constexpr bool narrows = !std::is_same_v<Operand, Element>;

  /// Weights as they are loaded, and as the linear layers of blocks read them.
  struct Narrowing {
    View<const Element, 2> from;
    View<Operand, 2> to;
    View<float, 1> scale;
  };

  /// A section that another model has.
  struct Copy {
    const WeightMemory<Backend>* other;
    Range from, to;  // bytes
  };

  template <class Place>
  auto section(Index index, const Place& place) {
    const auto number = static_cast<std::size_t>(index);
    const auto other =
        std::ranges::find_if(others_, [number](const auto* memory) { return memory->has_section(number); });
    is_copied_ = other != others_.end();
    const Index begin = memory_.used(), wide_begin = wide_.used();
    auto out = place();
    sections_.resize(std::max(sections_.size(), number + 1));
    sections_[number] = {begin, memory_.used()};
    staged_.resize(sections_.size());
    staged_[number] = wide_.used() - wide_begin;
    if (is_copied_ && pass_ == Pass::load) {
      const Range from = (*other)->sections[number];
      if (from.size() != sections_[number].size())
        throw std::logic_error("weights are to be copied from a model of other settings");
      copies_.push_back({*other, from, sections_[number]});
    }
    is_copied_ = false;
    return out;
  }

  bool is_loading() const { return pass_ == Pass::load && !is_copied_; }

  /// Returns the bytes that have been placed.
  Index used() const { return memory_.used() + wide_.used(); }

  /// Tells the source, if it asks, how many bytes are loaded.
  void tell(Index done) const {
    if constexpr (requires { source_.loaded(done, all_); }) source_.loaded(done, all_);
  }

  void expect(const std::string& name, const Shape& shape) {
    if (pass_ == Pass::list) tensors_[name] = shape;
  }

  template <class T, std::size_t Rank>
  View<T, static_cast<int>(Rank)> take(const std::array<Index, Rank>& extents) {
    return take<T>(memory_, extents);
  }
  template <class T, std::size_t Rank>
  View<T, static_cast<int>(Rank)> take(Arena<Backend>& arena, const std::array<Index, Rank>& extents) {
    if (pass_ == Pass::list) return {nullptr, extents};
    return arena.template take<T>(extents);
  }

  template <class T>
  void fill(const std::string& name, const View<T, 3>& to) {
    fill(name, to, {.pitch = to.extent[2]});
  }
  template <class T>
  void fill(const std::string& name, const View<T, 3>& to, const MatrixPart& part) {
    if (!is_loading()) return;
    loader_.fill(source_.get(name, tensors_.at(name)), to, part);
    tell(used());
  }

  Linear placed(const std::string& name, const Shape& shape, Index outputs, Index inputs) {
    expect(name + ".weight", shape);
    expect(name + ".bias", {outputs});
    const auto weight = take<Element>(std::array{outputs, inputs});
    const auto bias = take<Element>(std::array{outputs});
    fill(name + ".weight", View<Element, 3>(weight.data, {1, outputs, inputs}));
    fill(name + ".bias", View<Element, 3>(bias.data, {1, 1, outputs}));
    return {weight, bias};
  }

  Linear stacked(Arena<Backend>& arena, std::initializer_list<std::string> names, const Features& outputs,
                 const Features& inputs) {
    const View<Element, 2> weight = stacked_weights(arena, names, outputs, inputs);
    for (const std::string& name : names) expect(name + ".bias", {outputs.all()});
    if (!inputs.has_first()) return {weight, {}};
    const auto bias = take<Element>(std::array{weight.extent[0]});
    Index first = 0;
    for (const std::string& name : names)
      for (const Range& held : outputs.held()) {
        fill(name + ".bias", View<Element, 3>(bias.data + first, {1, 1, held.size()}),
             {held.begin, held.size()});
        first += held.size();
      }
    return {weight, bias};
  }

  View<Element, 2> stacked_weights(Arena<Backend>& arena, std::initializer_list<std::string> names,
                                   const Features& outputs, const Features& inputs) {
    const Index columns = inputs.count();
    const auto weight =
        take<Element>(arena, std::array{static_cast<Index>(names.size()) * outputs.count(), columns});
    Index row = 0;
    for (const std::string& name : names) {
      expect(name + ".weight", {outputs.all(), inputs.all()});
      for (const Range& rows : outputs.held()) {
        Index column = 0;
        for (const Range& held : inputs.held()) {
          fill(name + ".weight",
               View<Element, 3>(weight[row].data + column, {1, rows.size(), held.size()}, {0, columns, 1}),
               {rows.begin * inputs.all() + held.begin, inputs.all()});
          column += held.size();
        }
        row += rows.size();
      }
    }
    return weight;
  }

  Queue& queue_;
  typename Backend::Loader loader_;
  const Source& source_;
  Portion wanted_;
  std::vector<const WeightMemory<Backend>*> others_;
  Pass pass_ = Pass::list;
  Index all_ = 0;  // bytes to be placed
  std::map<std::string, Shape> tensors_;
  Arena<Backend> memory_, wide_, nowhere_;  // nowhere_ has no memory
  bool is_copied_ = false;                  // the section that is being placed
  std::vector<Range> sections_;
  std::vector<Index> staged_;
  std::vector<Copy> copies_;
  std::vector<Narrowing> narrowings_;
};

}  // namespace weft::inline v0_1
