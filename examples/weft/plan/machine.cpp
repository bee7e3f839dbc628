#include "machine.hpp"

namespace command {

weft::planner::Hardware hardware_of(const Options& options) {
  const std::string& named = options.planning.hardware;
  return weft::planner::hardware_of(!named.empty()                     ? named
                                    : options.backend == Backend::host ? "host"
                                                                       : "h200-nvlink");
}

weft::planner::EngineTraits engine_of(const Options& options) {
  weft::planner::EngineTraits engine;
  engine.attends_in_int8 = options.attends_in_int8;
  engine.tries_products = options.backend == Backend::cuda;
  if (options.launched && options.backend == Backend::host) engine.stores_heads = false;
  if (options.launched && options.backend == Backend::cuda) {
    const bool is_one_host = options.launched->local_world == options.launched->world;
    engine.lands_messages = is_one_host;
    if (!is_one_host) {
      engine.carrier = weft::planner::Carrier::nccl;
      engine.stores_heads = false;
      engine.packs_exchanges = true;
    }
  }
  return engine;
}

}  // namespace command
