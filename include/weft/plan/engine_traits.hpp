// What distinguishes engines that run the same methods on the same hardware.
#pragma once

#include <limits>
#include <optional>

#include "weft/core/dit_shape.hpp"
#include "weft/plan/hardware.hpp"

namespace weft::planner {

/// The defaults describe weft; others are described to be compared with.
struct EngineTraits {
  std::optional<Placement> placement;  // of stages; nothing: as suits the model
  bool overlaps_stages = true;         // a stage computes while its activations travel
  bool overlaps_ring = true;           // attention computes while the next keys travel
  bool packs_exchanges = false;        // heads are copied into place before and after Ulysses' exchanges
  Carrier carrier = Carrier::copies;   // of messages
  bool stores_heads = true;      // Ulysses' kernels store into other GPUs, where these figures are known
  int barriers_per_push = 2;     // of all that store: before, and after
  bool lands_messages = false;   // messages come into slots at their receiver, two for each sender
  bool keeps_text = true;        // the text's keys and values are computed once an image
  int extra_passes = 0;          // over a block's activations, by kernels that weft fuses into others
  int merge_passes = 7;          // of memory over attention's output, as long as a further part takes
  bool tries_products = true;    // algorithms of products are tried before the first step
  double host_per_block = 0;     // seconds in which the processor launches a block's kernels
  double host_per_exchange = 0;  // and a transfer
  double per_unit = 0;           // seconds lost to synchronisation at every patch of a stage
  double buffered = std::numeric_limits<double>::infinity();  // a longer message leaves when it is asked for
  double efficiency = 1;                                      // of what the hardware reaches

  constexpr Placement placement_of(const DitShape& model) const {
    return placement.value_or(model.placement);
  }
};

}  // namespace weft::planner
