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
