// KeyMask: the keys that queries do not attend to, where images of a batch have different numbers of them.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "weft/core/error.hpp"
#include "weft/core/host_device.hpp"
#include "weft/core/range.hpp"
#include "weft/core/view.hpp"

namespace weft::inline v0_1 {

/// Hidden keys of one call of attention: of the keys numbered `first`, `first` + 1 and so on, those in
/// [begin[image], end) do not influence that image's results. What they hold must be finite. If every image
/// has a valid prefix of the keys, `begin` is its length and `end` the number of keys.
struct KeyMask {
  View<const std::int32_t, 1> begin{};  // (images), read when the operator runs; none: no key is hidden
  Index end = 0;
  Index first = 0;

  bool empty() const { return begin.data == nullptr; }

  /// Returns the mask of the keys in `range` among these.
  KeyMask keys(Range range) const {
    const Index from = first + range.begin;
    return from < end ? KeyMask{begin, end, from} : KeyMask{};
  }

  /// Returns which of `count` keys are hidden from an image's queries; empty where none is.
  WEFT_HOST_DEVICE Range hidden(Index image, Index count) const {
    const auto clamp = [](Index i, Index low, Index high) { return i < low ? low : i > high ? high : i; };
    if (begin.data == nullptr) return {count, count};
    const Index from = clamp(begin.data[image] - first, 0, count);
    return {from, clamp(end - first, from, count)};
  }
};

/// Throws std::logic_error unless a mask is of so many images.
inline void check_key_mask(const KeyMask& mask, Index images) {
  if (!mask.empty() && mask.begin.extent[0] != images)
    throw std::logic_error(sentence("attention was given a mask of ", mask.begin.extent[0],
                                    " images' keys, and there are ", images, " images"));
}

}  // namespace weft::inline v0_1
