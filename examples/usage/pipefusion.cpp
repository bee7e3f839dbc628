// PipeFusion: a rank has some of the blocks, and patches of the image pass from rank to rank. A patch attends
// to keys of the others that are a step old, so the image changes: the less, the more steps there are.
#include <iostream>
#include <weft/weft.hpp>

#include "../extend/small_dit.hpp"
#include "relative_difference.hpp"

using Model = SmallDit<weft::Host>;
using Parallel = weft::PipeFusion<>;

int main() {
  const Model model;
  const auto generated = [&](const weft::Mesh& mesh, int steps) {
    return weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      weft::Engine<Model, Parallel> engine(model, mesh, world);
      return engine.generate(digits_request(ddim_steps(steps)));
    });
  };

  const weft::Mesh mesh{.pipe = 2, .patches = 4, .warmup = 1};
  float before = 1;
  bool falls = true;
  for (const int steps : {5, 10, 20, 40, 80}) {
    const float difference = relative_difference(generated(mesh, steps), generated({}, steps));
    std::cout << steps << " steps: two stages differ from one rank by " << difference << ".\n";
    falls = falls && difference < before;
    before = difference;
  }
  return falls ? 0 : 1;
}
