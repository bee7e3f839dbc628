// KeyValues: the keys and values that attention reads, written in place by the kernels that compute them.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "weft/core/layout.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1 {

template <class Backend>
class KeyValues {
 public:
  using Element = typename Backend::Element;

  KeyValues() = default;

  /// Makes a cache without memory of its own; `hold` supplies the views.
  explicit KeyValues(Rows rows) : rows_(std::move(rows)) {}

  /// Allocates memory for `layers` blocks; further layers share the last one's.
  KeyValues(typename Backend::Queue& queue, Rows rows, Index layers, Index images, Index heads,
            Index head_dim)
      : rows_(std::move(rows)),
        extents_{rows_.size(), images, heads, head_dim},
        layers_(layers),
        layer_size_(rows_.size() * images * heads * head_dim),
        keys_(queue, layers * layer_size_),
        values_(queue, layers * layer_size_) {}

  bool has_room() const { return layers_ > 0; }

  /// Uses these views for all layers from now on: (rows, images, heads, head_dim).
  void hold(const View<Element, 4>& keys, const View<Element, 4>& values) {
    held_keys_ = keys;
    held_values_ = values;
  }

  /// The tokens whose keys and values these are.
  const Rows& rows() const { return rows_; }

  /// Return the keys, or values, of a layer: (rows, images, heads, head_dim).
  View<Element, 4> keys(Index layer) const { return has_room() ? of_layer(keys_, layer) : held_keys_; }
  View<Element, 4> values(Index layer) const { return has_room() ? of_layer(values_, layer) : held_values_; }

 private:
  using Buffer = typename Backend::template Buffer<Element>;

  View<Element, 4> of_layer(const Buffer& buffer, Index layer) const {
    View<Element, 4> out = buffer.view(extents_);
    out.data += std::min(layer, layers_ - 1) * layer_size_;
    return out;
  }

  Rows rows_;
  std::array<Index, 4> extents_{};
  Index layers_ = 0, layer_size_ = 0;
  Buffer keys_, values_;
  View<Element, 4> held_keys_, held_values_;
};

}  // namespace weft::inline v0_1
