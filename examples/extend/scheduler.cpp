// A scheduler of your own: rectified flow, at times that you choose.
#include <iostream>

#include "ranks.hpp"
#include "small_dit.hpp"

/// The state at time t is (1 − t) · image + t · noise, and the model predicts noise − image.
struct RectifiedFlow {
  float train_steps = 1000;  // the model is told train_steps · t
};

/// Makes the steps of Euler's method: x' = x + (t' − t) · prediction. A step is the constants of a linear
/// update; weft/core/sampler_step.hpp has all of them.
weft::Sampler sampler_of(const RectifiedFlow& flow, int steps) {
  if (steps < 1) weft::reject("steps is ", steps, " and must be at least 1");
  weft::Sampler out;
  const auto time = [steps](int i) { return 1 - static_cast<float>(i) / static_cast<float>(steps); };
  for (int i = 0; i < steps; ++i)
    out.push_back({.timestep = flow.train_steps * time(i),
                   .sigma = time(i),
                   .keep = 1,
                   .take = 0,
                   .direct = time(i + 1) - time(i)});
  return out;
}
static_assert(weft::Scheduler<RectifiedFlow>);

int main() {
  using Parallel = weft::Ulysses<>;
  const weft::Sampler own = weft::make_sampler(RectifiedFlow{}, 8);
  // The library's has the same times where a pipeline spaces them evenly, as FLUX's does.
  const weft::Sampler library = weft::make_sampler(weft::FlowMatchConfig{}, 8, {.spaces_sigmas = true});
  const auto images = [](const weft::Sampler& sampler) {
    return generated<SmallDit<Backend>, Parallel>({.ulysses = 2}, digits_request(sampler));
  };
  const bool equal = are_close(images(own), images(library));
  std::cout << "Own and library's steps give " << (equal ? "equal images.\n" : "different images.\n");
  return equal ? 0 : 1;
}
