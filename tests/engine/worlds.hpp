// Models, requests and meshes that the tests of the engine share.
#pragma once

#include <cmath>
#include <filesystem>
#include <string>

#include "weft/weft.hpp"

using Model = weft::HunyuanDiT<weft::Host>;
using Prompt = weft::HunyuanPrompt;
using Full = weft::DataParallel<weft::CfgParallel<weft::PipeFusion<weft::Ulysses<weft::Ring<>>>>>;

// Compiled once, in worlds.cpp.
extern template class weft::HunyuanDiT<weft::Host>;
extern template class weft::Engine<Model, weft::Local>;
extern template class weft::Engine<Model, Full>;

inline double relative_l2(const weft::Tensor& a, const weft::Tensor& b) {
  if (a.shape != b.shape) return INFINITY;
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) {
    difference += std::pow(static_cast<double>(a.data[i]) - b.data[i], 2);
    norm += std::pow(static_cast<double>(b.data[i]), 2);
  }
  return std::sqrt(difference / norm);
}

/// The prompts of a golden's inputs, one a row of the batch.
inline std::vector<Prompt> prompts_of(const weft::SafeTensors& inputs) {
  std::vector<Prompt> prompts;
  const auto row = [&](const char* name, weft::Index i) { return inputs.tensor(name).at(i); };
  const weft::Index count = inputs.tensor("text_embedding_mask").shape[0];
  for (weft::Index i = 0; i < count; ++i) {
    Prompt prompt{row("encoder_hidden_states", i), row("text_embedding_mask", i),
                  row("encoder_hidden_states_t5", i), row("text_embedding_mask_t5", i)};
    if (inputs.find("image_meta_size")) prompt.size = row("image_meta_size", i);
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

/// A folder of goldens with its model.
struct Golden {
  std::filesystem::path folder;
  Model model;

  explicit Golden(const std::string& name)
      : folder(std::filesystem::path(WEFT_GOLDENS_DIR) / name), model(folder / "model/transformer") {}

  weft::SafeTensors file(const std::string& name) const {
    return weft::SafeTensors(folder / (name + ".safetensors"));
  }

  weft::NoiseSchedule schedule() const {
    return weft::NoiseSchedule(weft::Config::read(folder / "model/scheduler/scheduler_config.json"));
  }

  weft::Evaluation<Prompt> evaluation() const {
    const weft::SafeTensors inputs = file("forward_inputs");
    return {prompts_of(inputs), inputs.tensor("hidden_states"), inputs.tensor("timestep")};
  }

  weft::Request<Prompt> request(const std::string& loop) const {
    const weft::SafeTensors inputs = file(loop + "_inputs");
    const auto setting = [&](const char* name) { return inputs.metadata().at(name); };
    const std::vector<Prompt> prompts = prompts_of(inputs);
    weft::Request<Prompt> request;
    request.negatives = {prompts[0]};
    request.prompts = {prompts[1]};
    request.noise = inputs.tensor("latents");
    request.step_noise = inputs.tensor("step_noise");
    request.height = request.noise.shape[2], request.width = request.noise.shape[3];
    request.sampler = weft::make_sampler(setting("scheduler"), schedule(), std::stoi(setting("steps")));
    request.guidance = std::stof(setting("guidance_scale"));
    request.guidance_rescale = std::stof(setting("guidance_rescale"));
    return request;
  }
};

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
