// StepCache: listed steps leave blocks out, and add what these added in the last step that ran them.
#include <iostream>
#include <weft/weft.hpp>

#include "../extend/small_dit.hpp"
#include "relative_difference.hpp"

using Model = SmallDit<weft::Host>;
using Parallel = weft::StepCache<>;

int main() {
  const Model model;
  weft::Request<int> request = digits_request(ddim_steps(40));
  const auto generated = [&] {
    return weft::launch(1, [&](weft::threads::World& world) {
      weft::Engine<Model, Parallel> engine(model, {}, world);
      const weft::Tensor images = engine.generate(request);
      return std::pair(images, engine.step_seconds());
    });
  };

  const weft::Tensor full = generated().first;
  float before = 1;
  bool falls = true;
  for (const int first : {10, 20, 30}) {  // the first steps matter most
    request.reuse = {};
    for (int step = first; step < 40; step += 2) request.reuse.steps.push_back(step);
    const auto [images, seconds] = generated();
    const float difference = relative_difference(images, full);
    std::cout << request.reuse.steps.size() << " of 40 steps reuse: images differ by " << difference
              << "; a full step takes " << seconds[first - 1] * 1e3 << " ms, one that reuses "
              << seconds[first] * 1e3 << " ms.\n";
    falls = falls && difference < before;
    before = difference;
  }
  return falls ? 0 : 1;
}
