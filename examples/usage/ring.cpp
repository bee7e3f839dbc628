// Ring: a rank has some of the tokens, and the keys and values of all travel round.
#include <iostream>
#include <weft/weft.hpp>

#include "../extend/small_dit.hpp"
#include "relative_difference.hpp"

using Model = SmallDit<weft::Host>;
using Parallel = weft::Ring<>;

int main() {
  const Model model;
  const weft::Request<int> request = digits_request(ddim_steps(4));
  const auto generated = [&](const weft::Mesh& mesh) {
    return weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      weft::Engine<Model, Parallel> engine(model, mesh, world);
      const weft::Tensor images = engine.generate(request);
      return std::pair(images, world.traffic());  // of rank 0
    });
  };

  const weft::Tensor one = generated({}).first;
  float worst = 0;
  for (const int ranks : {2, 3, 5}) {  // more than heads, of which there are 3
    const auto [images, sent] = generated({.ring = ranks});
    const float difference = relative_difference(images, one);
    std::cout << ranks << " ranks differ from one by " << difference << "; rank 0 sends "
              << sent.at("ring").bytes / 4 << " bytes a step.\n";
    worst = std::max(worst, difference);
  }
  return worst < 1e-5f ? 0 : 1;
}
