// MemoryCheck: whether the memories of a pipeline's ranks hold what a request takes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "weft/backend/free_memory.hpp"
#include "weft/comm/agreement.hpp"
#include "weft/comm/mesh.hpp"
#include "weft/pipeline/generation.hpp"
#include "weft/pipeline/models.hpp"
#include "weft/plan/counted_model.hpp"
#include "weft/plan/memory.hpp"
#include "weft/plan/pipeline_memory.hpp"
#include "weft/plan/sample_prompt.hpp"
#include "weft/plan/sizes.hpp"
#include "weft/policy/check.hpp"
#include "weft/vae/memory.hpp"

namespace weft::inline v0_1::pipeline {

/// One memory and the ranks whose buffers lie in it.
struct SharedMemory {
  double free = 0;  // bytes
  std::vector<int> ranks{};
};

/// Returns the memories of all ranks, with what is free of them now. All ranks call it together.
template <class Backend, class Agreement>
[[nodiscard]] std::vector<SharedMemory> memories_of(Agreement& agreement) {
  const FreeMemory own = Backend::free_memory();
  std::map<std::uint64_t, SharedMemory> by_id;
  int rank = 0;
  for (const auto& [id, bytes] : agreement.all({own.id, own.bytes})) {
    const auto free = static_cast<double>(bytes);
    SharedMemory& memory = by_id.try_emplace(id, SharedMemory{free}).first->second;
    memory.free = std::min(memory.free, free);
    memory.ranks.push_back(rank++);
  }
  std::vector<SharedMemory> out;
  for (auto& [id, memory] : by_id) out.push_back(std::move(memory));
  return out;
}

/// Returns what matters to the memory that an Engine takes in such a world.
template <class Backend, class World>
[[nodiscard]] constexpr planner::EngineTraits engine_traits() {
  planner::EngineTraits out;
  out.stores_heads = Push<typename World::Communicator>;
  out.attends_in_int8 = requires { requires Backend::attends_in_int8; };
  out.lands_messages = Reserve<typename World::Communicator>;
  out.tries_products = requires(typename Backend::Queue & queue) { queue.products(); };
  return out;
}

/// Checks requests to a Pipeline, all on every rank, so that ranks agree. It knows what was free when it was
/// made, beside the weights of transformer and decoder.
template <class Model>
class MemoryCheck {
 public:
  using Settings = typename Model::Settings;

  /// The models must outlive it.
  MemoryCheck(const PipelineModels<Model>& models, const Mesh& mesh, const planner::EngineTraits& engine,
              std::vector<SharedMemory> memories)
      : models_(models),
        mesh_(mesh),
        engine_(engine),
        memories_(std::move(memories)),
        work_(models.transformer().config(), planner::sample_prompt(models.transformer().config())) {}

  /// Throws InvalidArgument if the mesh breaks a rule for the request, or, with what would fit, if a memory
  /// is too small for it.
  void check(const ImageRequest& asked, const Generation<Settings>& generation) {
    const auto& request = generation.request;
    const std::set<std::string> texts(generation.texts.begin(), generation.texts.end());
    const Size size{.height = request.height,
                    .width = request.width,
                    .prompts = static_cast<Index>(asked.prompts.size()),
                    .branches = request.guidance > 1 ? 2 : 1,
                    .steps = static_cast<Index>(request.sampler.size()),
                    .texts = static_cast<Index>(texts.size()),
                    .thresholds = std::ranges::any_of(request.sampler, &SamplerStep::has_quantile),
                    .reuse = request.reuse};
    if (passed_ == size) return;
    if (const std::optional<MeshFault> fault = fault_of(size)) reject(to_string(*fault));
    const std::vector<StageMemory> encoders =
        models_.encoders().memory(generation.texts, mesh_.ranks(), mesh_.tensor);
    if (const std::optional<Lack> lack = lack_of(size, encoders))
      reject(images(size.prompts), " of ", to_string(pixels(size)), " px take",
             size.prompts == 1 ? "s " : " ", planner::size_of(lack->taken), " of memory",
             lack->ranks == 1 ? "" : sentence(" for ", lack->ranks, " ranks"), " beside the weights, and ",
             planner::size_of(lack->free), " are free; ", advice(asked, size, encoders));
    passed_ = size;
  }

 private:
  /// What the memory of a request depends on.
  struct Size {
    Index height, width;  // of the latents
    Index prompts, branches, steps, texts;
    bool thresholds;
    Reuse reuse;

    friend bool operator==(const Size&, const Size&) = default;
  };

  /// A memory that is too small.
  struct Lack {
    double taken, free;
    std::size_t ranks;
  };

  static std::string images(Index count) { return count == 1 ? "1 image" : sentence(count, " images"); }

  PixelSize pixels(const Size& size) const {
    const Index scale = models_.autoencoder().config().scale();
    return {size.height * scale, size.width * scale};
  }

  Index tokens(const Size& size) const {
    const Index patch = work_.shape().patch;
    return size.height / patch * (size.width / patch);
  }

  std::optional<Lack> lack_of(const Size& size, const std::vector<StageMemory>& encoders) const {
    for (const SharedMemory& memory : memories_) {
      double taken = 0;
      for (const int rank : memory.ranks) taken += taken_by(rank, size, encoders);
      if (taken > memory.free) return Lack{taken, memory.free, memory.ranks.size()};
    }
    return std::nullopt;
  }

  /// Returns the bytes of a rank beside the weights.
  double taken_by(int rank, const Size& size, const std::vector<StageMemory>& encoders) const {
    using Number = planner::CountedNumber<typename Model::Element>;
    const planner::CostModel cost{.work = &work_,
                                  .hardware = {},
                                  .request = {.gpus = static_cast<int>(mesh_.ranks()),
                                              .tokens = tokens(size),
                                              .prompts = size.prompts,
                                              .branches = size.branches,
                                              .steps = size.steps,
                                              .warmup = mesh_.warmup,
                                              .thresholds = size.thresholds,
                                              .reuse = size.reuse},
                                  .engine = engine_,
                                  .mesh = mesh_};
    const Index arrays = vae::memory_of_rank<Number>(models_.autoencoder().config(), size.height, size.width,
                                                     static_cast<int>(mesh_.ranks()), rank)
                             .arrays.bytes;
    const Index workspace = engine_.tries_products ? std::min(arrays, image_workspace_bytes) : 0;
    return planner::pipeline_memory({.encoders = encoders[static_cast<std::size_t>(rank)],
                                     .transformer = engine_use(cost, rank),
                                     .decoder = {.activations = arrays + workspace}});
  }

  std::optional<MeshFault> fault_of(const Size& size) const {
    const Demand demand{size.prompts, size.branches, work_.prefix() + tokens(size), size.steps};
    return weft::check<planner::AllMethods>(mesh_, work_.shape(), demand, mesh_.ranks());
  }

  bool fits(const Size& size, const std::vector<StageMemory>& encoders) const {
    return !fault_of(size) && !lack_of(size, encoders);
  }

  /// Returns the nearest request that fits, as the end of a sentence: fewer images, or smaller ones.
  std::string advice(const ImageRequest& asked, const Size& size,
                     const std::vector<StageMemory>& encoders) const {
    Size other = size;
    while (--other.prompts > 0)
      if (fits(other, encoders)) return images(other.prompts) + " at a time would fit";
    other = size;
    const Index patch = work_.shape().patch;
    constexpr Index parts = 8;
    for (Index part = parts - 1; part > 0; --part) {
      const auto shortened = [part, patch](Index side) {
        return std::max(side * part / parts / patch, Index{1}) * patch;
      };
      other.height = shortened(size.height), other.width = shortened(size.width);
      if (fits(other, encoders))
        return to_string(pixels(other)) + " px would fit" + binning(asked, pixels(other));
    }
    return "smaller images would not fit either; ranks with more memory, or more ranks with a memory each, "
           "are "
           "needed";
  }

  /// Returns a condition without which the pipeline generates another size.
  std::string binning(const ImageRequest& asked, const PixelSize& size) const {
    const PipelineFolder& folder = models_.folder();
    const ImageSizes sizes = image_sizes(folder.pipeline(), size, folder.native_side(),
                                         folder.scale(work_.shape().patch), asked.resolution_binning);
    return sizes.generated == size ? "" : ", with resolution binning off";
  }

  const PipelineModels<Model>& models_;
  Mesh mesh_;
  planner::EngineTraits engine_;
  std::vector<SharedMemory> memories_;
  planner::CountedModelOf<Model> work_;
  std::optional<Size> passed_;
};

}  // namespace weft::inline v0_1::pipeline
