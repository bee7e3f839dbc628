// HunyuanDiT v1.2 for planners.
#pragma once

#include "weft/plan.hpp"

constexpr weft::DitShape hunyuan{.blocks = 40,
                                 .width = 1408,
                                 .heads = 16,
                                 .head_dim = 88,
                                 .patch = 2,
                                 .channels = 4,
                                 .out_channels = 8,
                                 .placement = weft::Placement::folded,
                                 .ffn = 6144,
                                 .text_length = 333,
                                 .text_width = 1024};

constexpr weft::Index tokens_of(int px) { return static_cast<weft::Index>(px / 16) * (px / 16); }

/// An engine with contiguous stages and unoverlapped transfers, as xDiT's at commit 175e0bf: skips travel,
/// and one that is longer than the library's buffers leaves when its reader asks for it; four
/// synchronisations a patch; the text is projected at every patch; keys rotate. Launching a block takes what
/// it took of diffusers on the host of an H100: 70 ms a step of 40 blocks, 30 where it is compiled.
constexpr weft::EngineTraits contiguous_engine(bool is_compiled) {
  return {.placement = weft::Placement::contiguous,
          .overlaps_stages = false,
          .overlaps_ring = false,
          .packs_exchanges = true,
          .keeps_text = false,
          .host_per_block = is_compiled ? 0.745e-3 : 1.75e-3,
          .host_per_exchange = 50e-6,
          .per_unit = 0.4e-3,
          .buffered = 8e6};
}

inline weft::CostModel cost_of(const weft::Mesh& mesh, int px = 1024, const weft::EngineTraits& engine = {},
                               std::string_view machine = "a100-nvlink") {
  return {hunyuan,
          weft::machine_named(machine),
          {.gpus = static_cast<int>(mesh.ranks()), .tokens = tokens_of(px)},
          engine,
          mesh};
}
