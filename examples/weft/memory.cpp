#include "memory.hpp"

#include <algorithm>

#include "cuda/run.hpp"
#include "host_memory.hpp"

namespace command {

namespace {

/// Sizes in one unit, by the largest of them.
struct Unit {
  double bytes;
  const char* name;

  explicit Unit(double largest) : bytes(largest < 1e9 ? 1e6 : 1e9), name(largest < 1e9 ? " MB" : " GB") {}

  std::string number(double size) const { return weft::planner::number("%.3g", size / bytes); }
};
std::string size_of(double bytes) {
  const Unit unit(bytes);
  return unit.number(bytes) + unit.name;
}

/// The fastest mesh of as many ranks that fits, or one of more ranks, in words; empty if there is none.
std::string what_fits(const Options& options, const weft::planner::CostModel& cost, const Room& room) {
  weft::planner::CostModel other = cost;
  other.hardware.gpu.memory = 1e18;  // what is free decides
  for (const weft::planner::Prediction& prediction :
       plan(other.model, other.hardware, other.request, other.engine).ranking) {
    other.mesh = prediction.mesh;
    if (room.fits(other)) return name_of(other.mesh) + " would fit";
  }
  if (options.backend == Backend::host) return {};
  constexpr int most = 64;
  const Room own{.free = room.free};
  const weft::planner::PlanRequest& request = cost.request;
  for (int ranks = request.gpus + 1; ranks <= most; ++ranks) {
    other.request.gpus = ranks;
    for (const weft::Mesh& mesh : weft::planner::candidate_meshes(cost.model, other.request)) {
      other.mesh = mesh;
      const weft::Demand demand{request.prompts, request.branches, request.tokens, request.steps};
      if (!weft::check<weft::planner::AllMethods>(mesh, cost.model, demand, ranks) && own.fits(other))
        return weft::sentence(ranks, " ranks with a device each would fit, as ", name_of(mesh));
    }
  }
  return {};
}

/// What to do where no mesh fits.
std::string advice_for(const Options& options, const weft::planner::CostModel& cost, const Room& room) {
  weft::planner::CostModel smallest = cost;
  const weft::Mesh& mesh = cost.mesh;
  smallest.request.prompts = std::min<weft::Index>(cost.request.prompts, mesh.data);
  smallest.request.tokens =
      std::min<weft::Index>(cost.request.tokens, weft::Index{mesh.patch_count()} * mesh.ring * mesh.ulysses);
  if (room.fits(smallest)) return "no mesh would fit, so ask for fewer or smaller images";
  return weft::sentence("its weights alone take ", size_of(room.use(smallest).weights),
                        ", however few and small the images are; ",
                        options.memory_limit               ? "raise --memory-limit"
                        : options.backend == Backend::host ? "a host with more memory is needed"
                                                           : "GPUs with more memory are needed");
}

}  // namespace

weft::planner::MemoryUse Room::use(const weft::planner::CostModel& cost) const {
  if (shared_out > 0) return largest_shared_use(cost, shared_out);
  weft::planner::MemoryUse all = largest_memory_use(cost);
  const auto count = static_cast<double>(ranks);
  all.weights *= count, all.keys *= count, all.activations *= count, all.preparing *= count;
  return all;
}

Room room_of(const Options& options) {
  const bool is_host = options.backend == Backend::host;
  const auto here = options.launched ? weft::Index{options.launched->local_world} : options.world();
  const DeviceMemory device = is_host ? DeviceMemory{1, free_host_memory()} : memory_on_cuda(options);
  return {.free = options.memory_limit ? *options.memory_limit * 1e9 : device.free,
          .ranks = weft::planner::ceil_div(here, device.devices),
          .shared_out = options.launched ? 0 : device.devices};
}

void set_bytes(weft::planner::PlanRequest& request, Dtype dtype) {
  request.element_bytes = dtype == Dtype::fp32 ? 4 : 2;
  request.operand_bytes = dtype == Dtype::fp8 ? 1 : request.element_bytes;
}

weft::planner::Hardware hardware_of(const Options& options) {
  const std::string& named = options.planning.hardware;
  return weft::planner::hardware_of(!named.empty()                     ? named
                                    : options.backend == Backend::host ? "host"
                                                                       : "h200-nvlink");
}

weft::planner::EngineTraits engine_of(const Options& options) {
  weft::planner::EngineTraits engine;
  engine.tries_products = options.backend == Backend::cuda;
  if (options.launched && options.backend == Backend::cuda) {
    const bool is_one_host = options.launched->local_world == options.launched->world;
    engine.lands_messages = is_one_host;
    if (!is_one_host) {
      engine.carrier = weft::planner::Carrier::nccl;
      engine.stores_heads = false, engine.packs_exchanges = true;
    }
  }
  return engine;
}

std::string checked_memory(const Options& options, const weft::DitShape& shape,
                           const weft::planner::PlanRequest& request) {
  const Room room = room_of(options);
  const weft::planner::CostModel cost{shape, hardware_of(options), request, engine_of(options), options.mesh};
  const weft::planner::MemoryUse use = room.use(cost);
  const double taken = use.total();
  const std::string whose =
      room.ranks == 1 ? std::string("a rank") : weft::sentence("for ", room.ranks, " ranks");
  if (taken > room.free) {
    const std::string other = what_fits(options, cost, room);
    const std::string sharers = options.mesh.ranks() == 1 ? "" : " " + whose;  // one rank has its name
    weft::reject(name_of(options.mesh), " takes ", size_of(taken), " of memory", sharers, ", and ",
                 size_of(room.free), options.memory_limit ? " may be taken; " : " are free; ",
                 other.empty() ? advice_for(options, cost, room) : other);
  }
  const Unit unit(taken);
  std::string parts = weft::sentence("weights ", unit.number(use.weights), ", keys and values ",
                                     unit.number(use.keys), ", activations ", unit.number(use.activations));
  if (use.preparing > 0) parts += ", preparing " + unit.number(use.preparing);
  return weft::sentence("memory: ", size_of(taken), " ", whose, " (", parts, ") of ", size_of(room.free),
                        options.memory_limit ? " allowed" : " free");
}

}  // namespace command
