// What PipeFusion's staleness costs on the trained model.
#include <doctest/doctest.h>

#include "../engine/worlds.hpp"

namespace {

/// Peak signal-to-noise ratio in dB of pictures in [−1, 1].
double psnr(const weft::Tensor& a, const weft::Tensor& b) {
  double error = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i)
    error += std::pow(
        static_cast<double>(std::clamp(a.data[i], -1.0f, 1.0f)) - std::clamp(b.data[i], -1.0f, 1.0f), 2);
  return 10 * std::log10(4 * static_cast<double>(a.size()) / error);
}

}  // namespace

// README.md shows this table.
TEST_CASE("PipeFusion stays close to one device, whatever the stages, and closer with more warm-up") {
  const Shapes shapes;
  const auto request = shapes.request(
      {"a red circle left of a blue square on gray", "a green ring above a yellow cross on black"}, 20);
  const weft::Tensor serial = generate(shapes.model, {}, request);
  struct Row {
    int patches, warmup;
    double decibels;
  };
  for (const Row& row : {Row{4, 1, 29.31}, Row{4, 2, 31.72}, Row{4, 4, 33.71}, Row{8, 1, 27.05},
                         Row{8, 2, 29.11}, Row{8, 4, 31.45}})
    for (int stages : {2, 4}) {
      CAPTURE(row.patches);
      CAPTURE(row.warmup);
      CAPTURE(stages);
      const weft::Mesh mesh{.pipe = stages, .patches = row.patches, .warmup = row.warmup};
      CHECK(psnr(generate(shapes.model, mesh, request), serial) ==
            doctest::Approx(row.decibels).epsilon(0.01));
    }
}
