// weft's twenty lines: a caption, four ranks, an image in the terminal.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <weft/weft.hpp>

using Model = weft::HunyuanDiT<weft::Host>;
using Parallel = weft::CfgParallel<weft::Ulysses<>>;

namespace {

/// Prints an image (3, height, width) in 24-bit colours, two pixels a character.
void show(const weft::Tensor& image) {
  const auto pixels = image.view<3>();
  const auto color = [&](weft::Index y, weft::Index x) {
    std::string out;
    for (weft::Index c = 0; c < 3; ++c)
      out += ';' + std::to_string(std::lround((std::clamp(pixels[c][y][x], -1.0f, 1.0f) + 1) * 127.5f));
    return out + 'm';
  };
  for (weft::Index y = 0; y + 1 < pixels.extent[1]; y += 2) {
    for (weft::Index x = 0; x < pixels.extent[2]; ++x)
      std::cout << "\033[38;2" << color(y, x) << "\033[48;2" << color(y + 1, x) << "▀";
    std::cout << "\033[0m\n";
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::filesystem::path folder = argc > 1 ? argv[1] : "share/shapes";
  const Model model(folder / "transformer");
  const weft::WordTable words(folder / "text");
  const auto scheduler = weft::Config::read(folder / "scheduler" / "scheduler_config.json");

  weft::Request<Model::Prompt> request;
  request.prompts = {prompt_of(words, "a red circle left of a blue square on gray")};
  request.negatives = {prompt_of(words, "")};
  request.height = request.width = 64;
  request.sampler = weft::make_sampler("ddim", scheduler, 10);
  request.guidance = 4;
  request.seed = 7;

  const weft::Mesh mesh{.cfg = 2, .ulysses = 2};
  const weft::Tensor images = weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<Model, Parallel> engine(model, mesh, world);
    return engine.generate(request);
  });
  show(images.at(0));
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
