// Goldens and meshes for the engine's tests in any world.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>

#include "weft/weft.hpp"

using Prompt = weft::HunyuanPrompt;
using Full = weft::DataParallel<
    weft::CfgParallel<weft::StepCache<weft::PipeFusion<weft::TensorParallel<weft::Ulysses<weft::Ring<>>>>>>>;

inline double relative_l2(const weft::Tensor& a, const weft::Tensor& b) {
  if (a.shape != b.shape) return INFINITY;
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) {
    difference += std::pow(static_cast<double>(a.data[i]) - b.data[i], 2);
    norm += std::pow(static_cast<double>(b.data[i]), 2);
  }
  return std::sqrt(difference / norm);
}

/// Returns the prompts of a golden's inputs, one a row of the batch.
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

/// A folder of goldens.
struct Golden {
  std::filesystem::path folder;

  explicit Golden(const std::string& name) : folder(std::filesystem::path(WEFT_GOLDENS_DIR) / name) {}

  weft::DitShape shape() const {
    return weft::HunyuanConfig(weft::Config::read(folder / "model/transformer/config.json")).shape();
  }

  weft::SafeTensors file(const std::string& name) const {
    return weft::SafeTensors(folder / (name + ".safetensors"));
  }

  weft::Config scheduler() const {
    return weft::Config::read(folder / "model/scheduler/scheduler_config.json");
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
    request.height = request.noise.shape[2];
    request.width = request.noise.shape[3];
    request.sampler = weft::make_sampler(setting("scheduler"), scheduler(), std::stoi(setting("steps")));
    request.guidance = std::stof(setting("guidance_scale"));
    request.guidance_rescale = std::stof(setting("guidance_rescale"));
    return request;
  }
};

/// The models of a folder that ranks of any mesh need: a whole one, and slices of it, loaded when a rank
/// first asks for one. Ranks that are threads share them.
template <class Model>
class Slices {
 public:
  explicit Slices(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const Model& of_rank(const weft::Mesh& mesh, int rank) const {
    const weft::TensorSlice slice = weft::slice_of_rank(mesh, rank);
    std::lock_guard lock(mutex_);
    std::unique_ptr<const Model>& model = models_[slice];
    if (!model) model = std::make_unique<const Model>(folder_, weft::Portion({}, slice));
    return *model;
  }

 private:
  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  mutable std::map<weft::TensorSlice, std::unique_ptr<const Model>> models_;
};

/// Meshes of at most 8 ranks that the model can run on, with every patch fresh in every step.
class RandomMeshes {
 public:
  /// Draws a mesh whose ranks need slices of the model.
  weft::Mesh sliced(const weft::DitShape& model, weft::Index prompts, int steps) {
    for (;;) {
      weft::Mesh mesh = (*this)(model, prompts, steps);
      mesh.tensor = draw(1, static_cast<int>(std::min<weft::Index>(model.most_slices(), 4)));
      if (mesh.ranks() <= 8 && mesh.ulysses <= model.heads_of({0, mesh.tensor}).size()) return mesh;
    }
  }

  weft::Mesh operator()(const weft::DitShape& model, weft::Index prompts, int steps) {
    for (;;) {
      weft::Mesh mesh{.data = draw(1, static_cast<int>(prompts)),
                      .cfg = draw(1, 2),
                      .pipe = draw(1, static_cast<int>(model.blocks / 2)),
                      .ulysses = draw(1, static_cast<int>(model.heads)),
                      .ring = draw(1, 5)};
      mesh.patches = mesh.pipe + draw(0, 5);
      if (mesh.patch_count() > 1) mesh.warmup = steps;
      if (mesh.ring > 1) mesh.ring_cache = static_cast<weft::RingCache>(draw(0, 2));
      if (mesh.ranks() <= 8) return mesh;
    }
  }

  int draw(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }

 private:
  std::mt19937 random_{20261124};
};
