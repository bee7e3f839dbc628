// Noise as a function of (seed, step, element): no layout of ranks changes it.
// Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <Random123/philox.h>

#include <cmath>
#include <cstdint>

#include "weft/core/host_device.hpp"
#include "weft/core/numbers.hpp"

namespace weft::inline v0_1 {

/// Returns a standard normal number. `step` 0 is the starting noise, step i + 1 belongs to denoising step i;
/// `element` is the flat index into (images, channels, height, width).
WEFT_HOST_DEVICE inline float normal(std::uint64_t seed, std::uint32_t step, std::uint64_t element) {
  const r123::Philox4x32::ctr_type counter{
      {static_cast<std::uint32_t>(element), static_cast<std::uint32_t>(element >> 32), step, 0}};
  const r123::Philox4x32::key_type key{
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  constexpr double pi = 3.14159265358979323846;
  const auto bits = r123::Philox4x32{}(counter, key);
  const double radius = (bits[0] + 0.5) * 0x1p-32;  // in (0, 1)
  const double angle = bits[1] * 0x1p-32;           // in [0, 1)
  return static_cast<float>(std::sqrt(-2 * std::log(radius)) * std::cos(2 * pi * angle));
}

/// Returns number `i`.
WEFT_HOST_DEVICE inline float drawn(const RandomNumbers& numbers, std::uint64_t i) {
  if (numbers.deviation == 0) return numbers.mean;
  return numbers.mean + numbers.deviation * normal(numbers.seed, numbers.stream, i);
}

}  // namespace weft::inline v0_1
