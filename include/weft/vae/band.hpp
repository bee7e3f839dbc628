// Band: a rank's rows of an image's channels.
#pragma once

#include <array>

#include "weft/backend/image_operators.hpp"
#include "weft/vae/workspace.hpp"

namespace weft::inline v0_1::vae {

/// Some rows of an image, with room for the row above and the one below.
template <class Backend>
class Band {
 public:
  using Element = typename Backend::Element;

  Band(Workspace<Backend>& workspace, Index rows, Index columns, Index channels)
      : numbers_(workspace, (rows + 2) * columns * channels), extents_{rows + 2, columns, channels} {}

  Index rows() const { return extents_[0] - 2; }
  Index columns() const { return extents_[1]; }
  Index channels() const { return extents_[2]; }

  /// Returns the band's rows: (rows, columns, channels).
  View<Element, 3> own() const { return all().template slice<0>({1, rows() + 1}); }
  /// Returns them and the rows beside them: (halo.above + rows + halo.below, columns, channels).
  View<Element, 3> with(Halo halo) const {
    return all().template slice<0>({1 - halo.above, rows() + 1 + halo.below});
  }
  /// Returns the pixels of the band's rows: (rows · columns, channels).
  View<Element, 2> pixels() const { return {own().data, {rows() * columns(), channels()}}; }

 private:
  View<Element, 3> all() const { return numbers_.view(extents_); }

  typename Workspace<Backend>::template Array<Element> numbers_;
  std::array<Index, 3> extents_;
};

}  // namespace weft::inline v0_1::vae
