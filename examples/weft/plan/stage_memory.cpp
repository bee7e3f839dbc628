#include "stage_memory.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>

#include "weft/plan/sizes.hpp"
#include "weft/text/prompt_encoders.hpp"
#include "weft/vae/memory.hpp"

namespace command {

namespace {

using weft::StageMemory;
using weft::planner::size_of;

/// Returns act(std::type_identity<Element>()) for an element of the dtype's size. In fp8 only blocks of
/// transformers compute.
template <class Act>
auto with_element(Dtype dtype, const Act& act) {
  if (dtype == Dtype::fp32) return act(std::type_identity<float>());
  return act(std::type_identity<weft::counting::Number<2>>());
}

bool is_smaller(const StageMemory& a, const StageMemory& b) { return a.total() < b.total(); }

/// Returns what ranks that share a memory take of it.
StageMemory shared_use(std::span<const StageMemory> ranks, bool shares_weights) {
  StageMemory all;
  for (const StageMemory& rank : ranks) {
    all.weights = shares_weights ? std::max(all.weights, rank.weights) : all.weights + rank.weights;
    all.activations += rank.activations;
  }
  return all;
}

/// Returns what processes that share this one's device or host take, where launchers number those of a host
/// one after another.
StageMemory use_of_neighbours(const weft::LaunchEnvironment& place, const MemoryBudget& budget,
                              const StagePlan& stage) {
  const auto ranks = static_cast<weft::Index>(stage.ranks.size());
  std::vector<StageMemory> sharers;
  for (weft::Index local = place.local_rank % budget.devices; local < place.local_world;
       local += budget.devices) {
    const weft::Index rank = std::clamp<weft::Index>(place.rank - place.local_rank + local, 0, ranks - 1);
    sharers.push_back(stage.ranks[static_cast<std::size_t>(rank)]);
  }
  return shared_use(sharers, false);
}

/// Returns what ranks take of the memory of which they take most.
StageMemory largest_use(const Options& options, const MemoryBudget& budget, const StagePlan& stage) {
  if (options.launched) return use_of_neighbours(*options.launched, budget, stage);
  const auto ranks = static_cast<weft::Index>(stage.ranks.size());
  StageMemory most;
  for (weft::Index memory = 0; memory < budget.memories; ++memory) {
    const weft::Index begin = weft::planner::ceil_div(memory * ranks, budget.memories),
                      end = weft::planner::ceil_div((memory + 1) * ranks, budget.memories);
    const std::span<const StageMemory> own(stage.ranks.data() + begin, static_cast<std::size_t>(end - begin));
    most = std::max(most, shared_use(own, stage.shares_weights), is_smaller);
  }
  return most;
}

}  // namespace

std::vector<StageMemory> encoder_memory(const std::filesystem::path& model,
                                        std::optional<weft::Index> max_sequence_length, Dtype dtype,
                                        const std::vector<std::string>& texts, const weft::Mesh& mesh) {
  return with_element(dtype, [&]<class Element>(std::type_identity<Element>) {
    return weft::text::PromptEncoders<weft::Counting<Element>>(model, max_sequence_length)
        .memory(texts, static_cast<int>(mesh.ranks()), mesh.tensor);
  });
}

std::vector<StageMemory> decoder_memory(const weft::AutoencoderConfig& config, Backend backend, Dtype dtype,
                                        weft::Index height, weft::Index width, int ranks) {
  auto out = with_element(dtype, [&]<class Element>(std::type_identity<Element>) {
    return weft::vae::decoder_memory<Element>(config, height, width, ranks);
  });
  if (backend == Backend::cuda)
    for (StageMemory& rank : out) rank.activations += std::min(rank.activations, weft::image_workspace_bytes);
  return out;
}

std::string checked_stage(const Options& options, const StagePlan& stage) {
  const MemoryBudget budget = memory_budget(options);
  const StageMemory use = largest_use(options, budget, stage);
  const auto taken = static_cast<double>(use.total());
  const std::string scope = budget.ranks == 1 || stage.ranks.size() == 1
                                ? std::string("a rank")
                                : weft::sentence("for ", budget.ranks, " ranks");
  if (taken > budget.free)
    weft::reject(size_of(taken), " of memory ", scope, " would go to the ", stage.name, ", and ",
                 size_of(budget.free), options.memory_limit ? " may be taken; " : " are free; ",
                 options.memory_limit               ? "raise --memory-limit"
                 : options.backend == Backend::host ? "a host with more memory is needed"
                                                    : "GPUs with more memory are needed");
  const weft::planner::SizeUnit unit(taken);
  return weft::sentence("memory of the ", stage.name, ": ", size_of(taken), " ", scope, " (weights ",
                        unit.number(static_cast<double>(use.weights)), ", activations ",
                        unit.number(static_cast<double>(use.activations)), ") of ", size_of(budget.free),
                        options.memory_limit ? " allowed" : " free");
}

}  // namespace command
