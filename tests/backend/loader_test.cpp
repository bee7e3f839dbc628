#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "weft/backend/host.hpp"

using weft::Index;
using weft::View;

TEST_CASE("Loader: stored numbers obey the view's strides") {
  std::vector<float> stored(6), out(12, -1);
  std::iota(stored.begin(), stored.end(), 0.0f);
  weft::host::Queue queue;
  weft::host::Loader loader(queue);
  const weft::StoredNumbers numbers{weft::Dtype::f32, std::as_bytes(std::span(stored))};
  loader.fill(numbers, View<float, 3>(out.data(), {3, 2, 1}, {1, 3, 1}));
  loader.fill(numbers, View<float, 3>(out.data() + 6, {1, 2, 3}));
  loader.finish();
  CHECK(out == std::vector<float>{0, 2, 4, 1, 3, 5, 0, 1, 2, 3, 4, 5});
}

TEST_CASE("Loader: products of low rank are added, whatever the strides") {
  const std::vector<float> stored{0, 1, 2, 3, 4, 5}, up{1, -1, 2}, down{10, 20};
  std::vector<float> out(12, -1);
  weft::host::Queue queue;
  weft::host::Loader loader(queue);
  const weft::MergedNumbers numbers(
      {weft::Dtype::f32, std::as_bytes(std::span(stored))},
      {{up.data(), down.data(), 1, 2, 0.5f}, {up.data(), down.data(), 1, 2, 0.5f}});
  loader.fill(numbers, View<float, 3>(out.data(), {1, 3, 2}, {12, 4, 1}));
  loader.finish();
  CHECK(out == std::vector<float>{10, 21, -1, -1, -8, -17, -1, -1, 24, 45, -1, -1});
}

TEST_CASE("Loader: a part of a matrix gets the numbers that the whole has there") {
  constexpr Index rows = 7, width = 11, first = 2, height = 4, left = 3, columns = 5;
  std::vector<float> stored(rows * width), up(2 * rows), down(2 * width);
  std::iota(stored.begin(), stored.end(), 0.0f);
  std::iota(up.begin(), up.end(), -3.0f);
  std::iota(down.begin(), down.end(), -5.0f);
  const weft::StoredNumbers plain{weft::Dtype::f32, std::as_bytes(std::span(stored))};
  weft::host::Queue queue;
  weft::host::Loader loader(queue);
  const auto check = [&loader](const auto& numbers) {
    std::vector<float> whole(rows * width), part(height * columns);
    loader.fill(numbers, View<float, 3>(whole.data(), {1, rows, width}));
    loader.fill(numbers, View<float, 3>(part.data(), {1, height, columns}), {first * width + left, width});
    loader.finish();
    for (Index row = 0; row < height; ++row)
      for (Index column = 0; column < columns; ++column)
        CHECK(part[static_cast<std::size_t>(row * columns + column)] ==
              whole[static_cast<std::size_t>((first + row) * width + left + column)]);
  };
  check(plain);
  check(weft::MergedNumbers(plain, {{up.data(), down.data(), 2, width, 0.5f}}));
  check(weft::RandomNumbers{.seed = 1, .stream = 2, .mean = 3, .deviation = 0.5f});
}

TEST_CASE("Loader: random numbers depend on their index alone") {
  const weft::RandomNumbers numbers{.seed = 1, .stream = 2, .mean = 3, .deviation = 0.5f};
  constexpr Index rows = 300, width = 5000;
  std::vector<float> out(rows * width);
  weft::host::Queue queue;
  weft::host::Loader loader(queue);
  loader.fill(numbers, View<float, 3>(out.data(), {1, rows, width}));
  loader.finish();
  for (const Index i : {Index{0}, width, rows * width - 1})
    CHECK(out[static_cast<std::size_t>(i)] == 3 + 0.5f * weft::normal(1, 2, static_cast<std::uint64_t>(i)));
}
