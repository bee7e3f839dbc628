// TensorParallel: a rank reads and holds a slice of the blocks' matrices, and ranks sum what these give.
#include <filesystem>
#include <iostream>
#include <weft/weft.hpp>

#include "relative_difference.hpp"

using Model = weft::HunyuanDiT<weft::Host>;
using Engine = weft::Engine<Model, weft::TensorParallel<>>;

int main(int argc, char** argv) {
  const std::filesystem::path folder = argc > 1 ? argv[1] : "share/shapes";
  const Model whole(folder / "transformer");
  const weft::WordTable words(folder / "text");
  weft::Request<Model::Prompt> request;
  request.prompts = request.negatives = {prompt_of(words, "a red circle")};
  request.height = request.width = 32;
  request.sampler =
      weft::make_sampler("ddim", weft::Config::read(folder / "scheduler" / "scheduler_config.json"), 2);

  const auto generated = [&](const weft::Mesh& mesh) {
    return weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
      const Model slice(folder / "transformer", Engine::portion(mesh, world.rank(), whole.shape()));
      Engine engine(slice, mesh, world);
      const weft::Tensor images = engine.generate(request);
      return std::pair(images, world.traffic());  // of rank 0
    });
  };

  const weft::Tensor one = generated({}).first;
  const auto [images, sent] = generated({.tensor = 2});
  const float difference = relative_difference(images, one);
  std::cout << "2 ranks with a slice each differ from one by " << difference << "; rank 0 sends "
            << sent.at("tensor").bytes / 2 << " bytes a step.\n";
  return difference < 1e-5f ? 0 : 1;
}
