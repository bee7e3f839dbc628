// DataParallel: a rank generates the images of some of the prompts, and sends nothing while it does.
#include <iostream>
#include <weft/weft.hpp>

#include "../extend/small_dit.hpp"
#include "relative_difference.hpp"

using Model = SmallDit<weft::Host>;
using Engine = weft::Engine<Model, weft::DataParallel<>>;

int main() {
  const Model model;
  weft::Request<int> request = digits_request(ddim_steps(4));
  request.prompts = {3, 1, 4, 1, 5};
  const auto generated = [&](const weft::Mesh& mesh) {
    return weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      Engine engine(model, mesh, world);
      return engine.generate(request);  // all images, on rank 0
    });
  };

  const weft::Mesh mesh{.data = 3};
  for (int rank = 0; rank < mesh.data; ++rank) {
    const weft::Range mine = Engine::Policies::prompts(mesh, rank, 5);
    std::cout << "Rank " << rank << " generates images " << mine.begin << " to " << mine.end - 1 << ".\n";
  }
  const float difference = relative_difference(generated(mesh), generated({}));
  std::cout << "All five differ from those of one rank by " << difference << ".\n";
  return difference < 1e-5f ? 0 : 1;
}
