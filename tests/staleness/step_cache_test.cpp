// Steps that leave blocks out, on the trained model, as policy/NOTES.md has them.
#include "../engine/staleness.hpp"
#include "../engine/worlds.hpp"

using weft::Index;
using weft::Reuse;
using weft::Tensor;

namespace {

constexpr Index steps = 50;

/// Returns one of the images.
Tensor image_of(const Tensor& images, Index i) {
  weft::Shape shape = images.shape;
  shape.front() = 1;
  Tensor out(shape);
  std::copy_n(images.data.begin() + i * out.size(), out.size(), out.data.begin());
  return out;
}

/// Returns the steps from 10 on but for every third.
Reuse two_of_three() {
  Reuse out;
  for (Index step = 10; step < steps; ++step)
    if (step % 3 != 0) out.steps.push_back(step);
  return out;
}

}  // namespace

TEST_CASE("Without 1 of 3 blocks images keep 35 dB of the full run's, and without half of them 32") {
  const HostShapes shapes;
  auto request = shapes.request(
      {"a yellow triangle right of a red ring on white", "a blue cross below a green circle on gray"}, steps);
  request.seed = 1;
  const Tensor full = generate(shapes.model, {}, request);
  const auto check = [&shapes, &request, &full](const Reuse& reuse, double speed_up, double decibels) {
    // A step that leaves all blocks out takes less than a hundredth of a full one's time.
    CHECK(steps / (steps - 0.99 * static_cast<double>(reuse.steps.size())) > speed_up);
    request.reuse = reuse;
    const Tensor images = generate(shapes.model, {}, request);
    for (const Index i : {0, 1}) CHECK(psnr(image_of(images, i), image_of(full, i)) > decibels);
  };
  weft::host::Queue queue;
  check(weft::teacache(shapes.model.embed_times(queue, weft::timesteps_of(request.sampler)), 0.25), 1.5, 35);
  check(two_of_three(), 1.8, 32);
}
