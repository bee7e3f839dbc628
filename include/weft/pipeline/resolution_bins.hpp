// Resolution binning: the nearest of the sizes that a model was trained for.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "weft/pipeline/image_size.hpp"

namespace weft::inline v0_1::pipeline {

enum class Binning { none, hunyuan, pixart };

/// Returns the nearest size of HunyuanDiT's: of the nearest ratio of width to height, the nearest area. One
/// of its sizes stays itself.
inline PixelSize nearest_hunyuan_size(const PixelSize& asked) {
  struct Shape {
    double ratio;  // width over height
    std::vector<PixelSize> sizes;
  };
  static const std::array shapes{
      Shape{1, {{1024, 1024}, {1280, 1280}}},
      Shape{4.0 / 3, {{768, 1024}, {864, 1152}, {960, 1280}}},
      Shape{3.0 / 4, {{1024, 768}, {1152, 864}, {1280, 960}}},
      Shape{16.0 / 9, {{768, 1280}}},
      Shape{9.0 / 16, {{1280, 768}}},
  };
  for (const Shape& shape : shapes)
    if (std::ranges::count(shape.sizes, asked) > 0) return asked;
  const double ratio = static_cast<double>(asked.width) / static_cast<double>(asked.height);
  const auto& nearest = *std::ranges::min_element(
      shapes, {}, [ratio](const Shape& shape) { return std::abs(shape.ratio - ratio); });
  const auto area = [](const PixelSize& size) { return size.height * size.width; };
  return *std::ranges::min_element(nearest.sizes, {}, [&area, &asked](const PixelSize& size) {
    return std::abs(area(size) - area(asked));
  });
}

/// Returns the size of PixArt's whose ratio of height to width is the nearest, for a model of images of so
/// many pixels on a side: 256, 512, 1024 or 2048. Nothing for other models.
inline std::optional<PixelSize> nearest_pixart_size(const PixelSize& asked, Index native) {
  if (native != 256 && native != 512 && native != 1024 && native != 2048) return std::nullopt;
  struct Bin {
    Index height, width;  // in sixteenths of the native side
    bool only_2048 = false;
  };
  static constexpr Bin bins[] = {
      // by growing ratio
      {8, 32},       {8, 31, true}, {8, 30, true}, {8, 29},       {9, 28},  {9, 27},       {9, 26},
      {10, 25},      {10, 24},      {11, 23},      {11, 22},      {11, 21}, {12, 21},      {12, 20},
      {13, 19},      {13, 18},      {14, 18},      {14, 17},      {15, 17}, {15, 16},      {16, 16},
      {16, 15},      {17, 15},      {17, 14},      {18, 14},      {18, 13}, {19, 13},      {20, 12},
      {21, 12},      {22, 11},      {23, 11},      {24, 10},      {25, 10}, {26, 9, true}, {27, 9},
      {28, 9, true}, {29, 8, true}, {30, 8, true}, {31, 8, true}, {32, 8}};
  const double ratio = static_cast<double>(asked.height) / static_cast<double>(asked.width);
  const Bin* nearest = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (const Bin& bin : bins) {
    if (bin.only_2048 && native != 2048) continue;
    // diffusers knows a bin by its ratio with two digits.
    const double own =
        std::nearbyint(100.0 * static_cast<double>(bin.height) / static_cast<double>(bin.width)) / 100;
    if (const double distance = std::abs(own - ratio); distance < least) {
      least = distance;
      nearest = &bin;
    }
  }
  const Index unit = native / 16;
  return PixelSize{nearest->height * unit, nearest->width * unit};
}

}  // namespace weft::inline v0_1::pipeline
