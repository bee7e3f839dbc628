// EngineTraits: what distinguishes engines that run the same methods on the same hardware.
#pragma once

#include <array>
#include <limits>
#include <optional>

#include "weft/core/dit_shape.hpp"
#include "weft/plan/hardware.hpp"

namespace weft::inline v0_1::planner {

/// The defaults describe weft; other engines are described for comparison.
struct EngineTraits {
  std::optional<Placement> placement;  // of stages; nothing: the model's own
  bool overlaps_stages = true;         // whether a stage computes while its activations are sent
  bool overlaps_ring = true;           // whether attention computes while the next keys are sent
  bool packs_exchanges = false;        // whether heads are copied before and after Ulysses' exchanges
  Carrier carrier = Carrier::copies;   // of messages
  bool stores_heads = true;  // whether kernels of Ulysses and TensorParallel store into other ranks' memory
  bool attends_in_int8 = false;     // whether attention copies keys to int8
  bool lands_messages = false;      // whether messages arrive in slots at the receiver, two for each sender
  std::array<Index, 3> repeated{};  // a product (m, n, k) an image that every block computes again
  int extra_passes = 0;             // over a block's activations, by kernels that weft fuses into others
  bool tries_products = true;       // whether algorithms of products are tried before the first step
  double host_per_block = 0;        // seconds in which the host launches a block's kernels
  double host_per_exchange = 0;     // seconds in which the host launches a transfer
  double per_unit = 0;              // seconds of synchronization at every patch of a stage
  double buffered = std::numeric_limits<double>::infinity();  // bytes; a longer message waits for its receive
  double efficiency = 1;                                      // share of the hardware's rates that is reached

  constexpr Placement placement_of(const DitShape& model) const {
    return placement.value_or(model.placement);
  }
};

}  // namespace weft::inline v0_1::planner
