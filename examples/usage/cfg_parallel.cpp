// CfgParallel: one rank evaluates the model on the prompt, the other on the negative prompt.
#include <iostream>
#include <weft/weft.hpp>

#include "../extend/small_dit.hpp"
#include "relative_difference.hpp"

using Model = SmallDit<weft::Host>;
using Parallel = weft::CfgParallel<>;

int main() {
  const Model model;
  weft::Request<int> request = digits_request(ddim_steps(4));
  request.negatives = {0, 0};  // one for each prompt
  request.guidance = 3;
  const auto generated = [&](const weft::Mesh& mesh) {
    return weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      weft::Engine<Model, Parallel> engine(model, mesh, world);
      const weft::Tensor images = engine.generate(request);
      return std::pair(images, world.traffic());  // of rank 0
    });
  };

  const auto [one, none] = generated({});
  const auto [two, sent] = generated({.cfg = 2});
  const weft::Index bytes = sent.at("cfg").bytes / 4;
  std::cout << "Two ranks differ from one by " << relative_difference(two, one) << ".\nA step sends " << bytes
            << " bytes: what a rank predicts of two images of 14 x 22 numbers, in float32.\n";
  return relative_difference(two, one) < 1e-5f && bytes == 2 * 14 * 22 * 4 ? 0 : 1;
}
