// Steps that leave blocks out, on the trained model, as policy/NOTES.md has them.
#include <cstdint>
#include <vector>

#include "../engine/staleness.hpp"
#include "../engine/worlds.hpp"

using weft::Index;
using weft::Reuse;
using weft::Tensor;

namespace {

/// Returns one of the images.
Tensor image_of(const Tensor& images, Index i) {
  Tensor out(images.shape);
  out.shape.front() = 1;
  const Index size = images.size() / images.shape.front();
  out.data.assign(images.data.begin() + i * size, images.data.begin() + (i + 1) * size);
  return out;
}

struct Row {
  double threshold;
  std::size_t reused;  // of 50 steps
  double least;        // dB of the worst image
};

}  // namespace

TEST_CASE("TeaCache spares half of the blocks at 35 dB and more of them at 32, in each image") {
  const HostShapes shapes;
  auto request = shapes.request(
      {"a yellow triangle right of a red ring on white", "a blue cross below a green circle on gray"}, 50);
  request.seed = 1;
  const Tensor full = generate(shapes.model, {}, request);
  weft::host::Queue queue;
  const Tensor times = shapes.model.embed_times(queue, weft::timesteps_of(request.sampler));
  for (const Row& row : {Row{0.3, 28, 35}, Row{0.4, 32, 32}}) {
    CAPTURE(row.threshold);
    request.reuse = weft::teacache(times, row.threshold);
    CHECK(request.reuse.steps.size() == row.reused);
    const Tensor images = generate(shapes.model, {}, request);
    for (const Index i : {0, 1}) CHECK(psnr(image_of(images, i), image_of(full, i)) >= row.least);
  }
}
