#include "memory.hpp"

#include <unistd.h>

#include <fstream>

#include "cuda/run.hpp"

namespace command {

namespace {

/// Bytes of the host's memory that can be taken without swapping.
double free_on_host() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  double kilobytes = 0;
  while (file >> name >> kilobytes) {
    if (name == "MemAvailable:") return 1024 * kilobytes;
    file.ignore(256, '\n');
  }
  return static_cast<double>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
}

/// Sizes in one unit, by the largest of them.
struct Unit {
  double bytes;
  const char* name;

  explicit Unit(double largest) : bytes(largest < 1e9 ? 1e6 : 1e9), name(largest < 1e9 ? " MB" : " GB") {}

  std::string number(double size) const { return weft::number("%.3g", size / bytes); }
};
std::string size_of(double bytes) {
  const Unit unit(bytes);
  return unit.number(bytes) + unit.name;
}

/// The fastest mesh of as many ranks that fits, or one of more ranks, in words; empty if there is none.
std::string what_fits(const Options& options, const weft::CostModel& cost, const Room& room) {
  weft::CostModel other = cost;
  other.hardware.gpu.memory = 1e18;  // what is free decides
  for (const weft::Prediction& prediction :
       plan(other.model, other.hardware, other.request, other.engine).ranking) {
    other.mesh = prediction.mesh;
    if (room.fits(other)) return name_of(other.mesh) + " would fit";
  }
  if (options.backend == Backend::host) return {};
  constexpr int most = 64;
  const Room own{.free = room.free};
  const weft::PlanRequest& request = cost.request;
  for (int ranks = request.gpus + 1; ranks <= most; ++ranks) {
    other.request.gpus = ranks;
    for (const weft::Mesh& mesh : weft::candidate_meshes(cost.model, other.request)) {
      other.mesh = mesh;
      const weft::Demand demand{request.prompts, request.branches, request.tokens, request.steps};
      if (!weft::check<weft::AllMethods>(mesh, cost.model, demand, ranks) && own.fits(other))
        return weft::sentence(ranks, " ranks with a device each would fit, as ", name_of(mesh));
    }
  }
  return {};
}

}  // namespace

weft::MemoryUse Room::use(const weft::CostModel& cost) const {
  if (shared_out > 0) return largest_shared_use(cost, shared_out);
  weft::MemoryUse all = largest_memory_use(cost);
  const auto count = static_cast<double>(ranks);
  all.weights *= count, all.keys *= count, all.activations *= count, all.preparing *= count;
  return all;
}

Room room_of(const Options& options) {
  const bool is_host = options.backend == Backend::host;
  const auto here = options.launched ? weft::Index{options.launched->local_world} : options.world();
  const DeviceMemory device = is_host ? DeviceMemory{1, free_on_host()} : memory_on_cuda(options);
  return {.free = options.memory_limit ? *options.memory_limit * 1e9 : device.free,
          .ranks = weft::ceil_div(here, device.devices),
          .shared_out = options.launched ? 0 : device.devices};
}

void set_bytes(weft::PlanRequest& request, Dtype dtype) {
  request.element_bytes = dtype == Dtype::fp32 ? 4 : 2;
  request.operand_bytes = dtype == Dtype::fp8 ? 1 : request.element_bytes;
}

weft::Hardware hardware_of(const Options& options) {
  const std::string& named = options.planning.hardware;
  return weft::hardware_of(!named.empty()                     ? named
                           : options.backend == Backend::host ? "host"
                                                              : "h200-nvlink");
}

weft::EngineTraits engine_of(const Options& options) {
  weft::EngineTraits engine;
  engine.tries_products = options.backend == Backend::cuda;
  if (options.launched && options.backend == Backend::cuda) {
    const bool is_one_host = options.launched->local_world == options.launched->world;
    engine.lands_messages = is_one_host;
    if (!is_one_host) {
      engine.carrier = weft::Carrier::nccl;
      engine.stores_heads = false, engine.packs_exchanges = true;
    }
  }
  return engine;
}

std::string checked_memory(const Options& options, const weft::DitShape& shape,
                           const weft::PlanRequest& request) {
  const Room room = room_of(options);
  const weft::CostModel cost{shape, hardware_of(options), request, engine_of(options), options.mesh};
  const weft::MemoryUse use = room.use(cost);
  const double taken = use.total();
  const std::string whose =
      room.ranks == 1 ? std::string("a rank") : weft::sentence("for ", room.ranks, " ranks");
  if (taken > room.free) {
    const std::string other = what_fits(options, cost, room);
    weft::refuse(name_of(options.mesh), " takes ", size_of(taken), " of memory ", whose, ", and ",
                 size_of(room.free), options.memory_limit ? " may be taken; " : " are free; ",
                 other.empty() ? "no mesh would fit, so ask for fewer or smaller pictures" : other);
  }
  const Unit unit(taken);
  std::string parts = weft::sentence("weights ", unit.number(use.weights), ", keys and values ",
                                     unit.number(use.keys), ", activations ", unit.number(use.activations));
  if (use.preparing > 0) parts += ", preparing " + unit.number(use.preparing);
  return weft::sentence("memory: ", size_of(taken), " ", whose, " (", parts, ") of ", size_of(room.free),
                        options.memory_limit ? " allowed" : " free");
}

}  // namespace command
