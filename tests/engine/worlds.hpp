// Models and requests of the tests whose ranks are threads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "golden.hpp"

// Compiled once, in worlds.cpp.
extern template class weft::HunyuanDiT<weft::Host>;
extern template class weft::Engine<Model, weft::Local>;
extern template class weft::Engine<Model, Full>;

/// The shapes model, asked for pictures by caption.
struct Shapes {
  std::filesystem::path folder = WEFT_SHAPES_DIR;
  Model model{folder / "transformer"};
  weft::WordTable words{folder / "text"};

  weft::Request<Prompt> request(const std::vector<std::string>& captions, int steps) const {
    weft::Request<Prompt> request;
    for (const std::string& caption : captions) {
      request.prompts.push_back(prompt_of(words, caption));
      request.negatives.push_back(prompt_of(words, ""));
    }
    request.height = request.width = 64;
    const auto config = weft::Config::read(folder / "scheduler/scheduler_config.json");
    request.sampler = weft::make_sampler("ddim", weft::NoiseSchedule(config), steps);
    request.guidance = 4;
    return request;
  }
};

/// What rank 0 gets.
template <class Parallel = Full>
weft::Tensor generate(const Model& model, const weft::Mesh& mesh, const weft::Request<Prompt>& request) {
  weft::Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<Model, Parallel> engine(model, mesh, world);
    weft::Tensor images = engine.generate(request);
    if (world.rank() == 0) result = std::move(images);
  });
  return result;
}

template <class Parallel = Full>
weft::Tensor forward(const Model& model, const weft::Mesh& mesh, const weft::Evaluation<Prompt>& evaluation) {
  weft::Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<Model, Parallel> engine(model, mesh, world);
    weft::Tensor sample = engine.forward(evaluation);
    if (world.rank() == 0) result = std::move(sample);
  });
  return result;
}
