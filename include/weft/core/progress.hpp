// Progress: how those who wait for long work hear how much of it is done.
#pragma once

#include <functional>

#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// Hears how much of `all` is done, which grows up to it, in units of the work. Empty: nobody waits.
using Progress = std::function<void(Index done, Index all)>;

/// Returns the progress of a part of work, `part` of whose `all` units it is. `whole` must outlive it.
inline Progress progress_of_part(const Progress& whole, Range part, Index all) {
  if (!whole) return {};
  return [&whole, part, all](Index done, Index of) {
    const double share = static_cast<double>(done) / static_cast<double>(of);
    whole(part.begin + static_cast<Index>(share * static_cast<double>(part.size())), all);
  };
}

}  // namespace weft::inline v0_1
