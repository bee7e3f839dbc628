// Image quality that PipeFusion's staleness costs on the trained model, as include/weft/policy/NOTES.md shows
// it.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "shapes.hpp"

/// Returns the peak signal-to-noise ratio in dB of images in [−1, 1].
inline double psnr(const weft::Tensor& a, const weft::Tensor& b) {
  REQUIRE(a.shape == b.shape);
  double squares = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i)
    squares += std::pow(
        static_cast<double>(std::clamp(a.data[i], -1.0f, 1.0f)) - std::clamp(b.data[i], -1.0f, 1.0f), 2);
  return 10 * std::log10(4 * static_cast<double>(a.data.size()) / squares);
}

struct StalenessRow {
  int patches, warmup;
  double decibels;  // against one rank
};

inline constexpr StalenessRow staleness_rows[] = {{4, 1, 29.31}, {4, 2, 31.72}, {4, 4, 33.71},
                                                  {8, 1, 27.05}, {8, 2, 29.11}, {8, 4, 31.45}};

/// Two images in 20 steps.
inline weft::Request<Prompt> staleness_request(const Shapes& shapes) {
  return shapes.request(
      {"a red circle left of a blue square on gray", "a green ring above a yellow cross on black"}, 20);
}

/// Checks generate(mesh) against one rank's images, for 2 and 4 stages.
template <class Generate>
void check_staleness(const Generate& generate) {
  const weft::Tensor serial = generate(weft::Mesh());
  for (const StalenessRow& row : staleness_rows)
    for (int stages : {2, 4}) {
      CAPTURE(row.patches);
      CAPTURE(row.warmup);
      CAPTURE(stages);
      const weft::Mesh mesh{.pipe = stages, .patches = row.patches, .warmup = row.warmup};
      CHECK(psnr(generate(mesh), serial) == doctest::Approx(row.decibels).epsilon(0.01));
    }
}
