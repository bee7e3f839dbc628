#include "memory.hpp"

#include <algorithm>

#include "../cuda/run.hpp"
#include "machine.hpp"
#include "weft/backend/host/free_memory.hpp"
#include "weft/plan/sizes.hpp"

namespace command {

using weft::planner::size_of;

namespace {

/// Returns "cfg2 would fit", with the fastest mesh of as many ranks that fits, or the first of more ranks;
/// empty if there is none.
std::string fitting_mesh(const Options& options, const weft::planner::CostModel& cost,
                         const MemoryBudget& budget) {
  weft::planner::CostModel other = cost;
  other.hardware.gpu.memory = 1e18;  // what is free decides
  for (const weft::planner::Prediction& prediction :
       weft::planner::plan(*other.work, other.hardware, other.request, other.engine).ranking) {
    other.mesh = prediction.mesh;
    if (budget.fits(other)) return name_of(other.mesh) + " would fit";
  }
  if (options.backend == Backend::host) return {};
  constexpr int most = 64;
  const MemoryBudget own{.free = budget.free};
  const weft::planner::PlanRequest& request = cost.request;
  for (int ranks = request.gpus + 1; ranks <= most; ++ranks) {
    other.request.gpus = ranks;
    for (const weft::Mesh& mesh : weft::planner::candidate_meshes(cost.model(), other.request)) {
      other.mesh = mesh;
      const weft::Demand demand{request.prompts, request.branches, cost.tokens(), request.steps};
      if (!weft::check<weft::planner::AllMethods>(mesh, cost.model(), demand, ranks) && own.fits(other))
        return weft::sentence(ranks, " ranks with a device each would fit, as ", name_of(mesh));
    }
  }
  return {};
}

/// Returns what to change where no mesh fits, as the end of a sentence.
std::string advice_for(const Options& options, const weft::planner::CostModel& cost,
                       const MemoryBudget& budget) {
  weft::planner::CostModel smallest = cost;
  const weft::Mesh& mesh = cost.mesh;
  smallest.request.prompts = std::min<weft::Index>(cost.request.prompts, mesh.data);
  smallest.request.tokens =
      std::min<weft::Index>(cost.request.tokens, weft::Index{mesh.patch_count()} * mesh.ring * mesh.ulysses);
  if (budget.fits(smallest)) return "no mesh would fit, so ask for fewer or smaller images";
  return weft::sentence("its weights alone take ", size_of(budget.use(smallest).weights),
                        ", however few and small the images are; ",
                        options.memory_limit               ? "raise --memory-limit"
                        : options.backend == Backend::host ? "a host with more memory is needed"
                                                           : "GPUs with more memory are needed");
}

}  // namespace

weft::planner::MemoryUse MemoryBudget::use(const weft::planner::CostModel& cost) const {
  if (memories > 0) return largest_shared_use(cost, memories);
  weft::planner::MemoryUse all = largest_memory_use(cost);
  const auto count = static_cast<double>(ranks);
  all.weights *= count;
  all.conditioning *= count;
  all.keys *= count;
  all.activations *= count;
  all.preparing *= count;
  return all;
}

MemoryBudget memory_budget(const Options& options) {
  const bool is_host = options.backend == Backend::host;
  const auto here = options.launched ? weft::Index{options.launched->local_world} : options.world();
  const DeviceMemory device =
      is_host ? DeviceMemory{1, weft::host::free_host_memory()} : memory_on_cuda(options);
  return {.free = options.memory_limit ? *options.memory_limit * 1e9 : device.free,
          .ranks = weft::planner::ceil_div(here, device.devices),
          .memories = options.launched ? 0 : device.devices,
          .devices = device.devices};
}

std::string checked_memory(const Options& options, const weft::planner::ModelWork& work,
                           const weft::planner::PlanRequest& request) {
  const MemoryBudget budget = memory_budget(options);
  const weft::planner::CostModel cost{&work, hardware_of(options), request, engine_of(options), options.mesh};
  const weft::planner::MemoryUse use = budget.use(cost);
  const double taken = use.total();
  const std::string scope =
      budget.ranks == 1 ? std::string("a rank") : weft::sentence("for ", budget.ranks, " ranks");
  if (taken > budget.free) {
    const std::string other = fitting_mesh(options, cost, budget);
    const std::string sharers = options.mesh.ranks() == 1 ? "" : " " + scope;  // whose name is "one rank"
    weft::reject(name_of(options.mesh), " takes ", size_of(taken), " of memory", sharers, ", and ",
                 size_of(budget.free), options.memory_limit ? " may be taken; " : " are free; ",
                 other.empty() ? advice_for(options, cost, budget) : other);
  }
  const weft::planner::SizeUnit unit(taken);
  std::string parts = weft::sentence("weights ", unit.number(use.weights), ", conditioning ",
                                     unit.number(use.conditioning), ", keys and values ",
                                     unit.number(use.keys), ", activations ", unit.number(use.activations));
  if (use.preparing > 0) parts += ", preparing " + unit.number(use.preparing);
  return weft::sentence("memory: ", size_of(taken), " ", scope, " (", parts, ") of ", size_of(budget.free),
                        options.memory_limit ? " allowed" : " free");
}

}  // namespace command
