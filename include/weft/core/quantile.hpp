// The exact quantile of numbers that are distributed over ranks, from histograms that ranks can sum.
#pragma once

#include <cstdint>
#include <cstring>

#include "weft/core/host_device.hpp"
#include "weft/core/range.hpp"

namespace weft::inline v0_1 {

/// A search for the two order statistics around a quantile of magnitudes, by radix selection: the bits of
/// floats that are not negative sort as the floats do. Every round finds one more digit of both statistics,
/// from the histogram of the next digit over the numbers that share the digits found so far.
struct QuantileSearch {
  static constexpr int rounds = 4, bits = 8, digits = 1 << bits, statistics = 2;

  std::uint32_t prefix[statistics];  // the digits so far
  double rank[statistics];           // from 0, among the numbers that share these digits
  float weight;                      // of the statistic above

  /// Makes a search over `count` numbers, those of all ranks. Computes the position between the statistics in
  /// float32, as torch.quantile does.
  WEFT_HOST_DEVICE static QuantileSearch start(float quantile, Index count) {
    const float place = quantile * static_cast<float>(count - 1);
    const auto last = static_cast<double>(count - 1);
    const auto below = static_cast<double>(static_cast<Index>(place));
    const double above = below < static_cast<double>(place) ? below + 1 : below;
    return {{0, 0},
            {below < last ? below : last, above < last ? above : last},
            static_cast<float>(static_cast<double>(place) - below)};
  }

  WEFT_HOST_DEVICE static std::uint32_t bits_of(float magnitude) {
    std::uint32_t out;
    std::memcpy(&out, &magnitude, sizeof out);
    return out;
  }

  /// Returns the bin of a number in a round's counts (statistics, digits) for statistic s, or −1 if it does
  /// not share the digits found so far.
  WEFT_HOST_DEVICE int place_of(std::uint32_t number, int round, int s) const {
    const int later = bits * (rounds - 1 - round);
    if (round > 0 && number >> (later + bits) != prefix[s]) return -1;
    return s * digits + static_cast<int>(number >> later & (digits - 1));
  }

  /// Ends a round, given the counts (statistics, digits) of all numbers.
  WEFT_HOST_DEVICE void narrow(const double* counts) {
    for (int s = 0; s < statistics; ++s) {
      const double* const histogram = counts + s * digits;
      int next = 0;
      while (next + 1 < digits && rank[s] >= histogram[next]) {
        rank[s] -= histogram[next];
        ++next;
      }
      prefix[s] = prefix[s] << bits | static_cast<std::uint32_t>(next);
    }
  }

  /// Returns the quantile, after all rounds; rounded as by torch.lerp.
  WEFT_HOST_DEVICE float value() const {
    float below, above;
    std::memcpy(&below, &prefix[0], sizeof below);
    std::memcpy(&above, &prefix[1], sizeof above);
    const float distance = above - below;
    return weight < 0.5f ? below + weight * distance : above - distance * (1 - weight);
  }
};

}  // namespace weft::inline v0_1
