// HunyuanDiT v1.2 for planners.
#pragma once

#include "weft/plan.hpp"

/// Returns its work in 16 bits, counted once for all tests.
const weft::planner::ModelWork& hunyuan_work();

inline const weft::DitShape& hunyuan() { return hunyuan_work().shape(); }

constexpr weft::Index tokens_of(int px) { return static_cast<weft::Index>(px / 16) * (px / 16); }

/// An engine with contiguous stages and unoverlapped transfers, as xDiT's at commit 175e0bf: skips travel,
/// and one that is longer than the library's buffers leaves when its reader asks for it; four
/// synchronisations a patch, of an estimated 0.1 ms; the text is projected at every patch; keys rotate.
/// What it takes the processor, and how many kernels it has besides weft's, does not come from the figures
/// that it is held against:
/// - A block's launching is that of diffusers on the host of an H100: 70 ms a step of 40 blocks at 512 px, 30
///   where it is compiled. Kernels that are not fused take 73 passes over a block's activations, so that the
///   same H100 takes twice as long at 1024 px as where they are compiled (the first test of
///   published_test.cpp).
/// - A transfer inside of attention is that of Flux.1 on four H100s (xDiT, docs/performance/flux.md: 28
/// steps,
///   57 blocks), if its blocks launch as fast: Ulysses takes 2.7 ms a block on two GPUs as well as on four,
///   and Ring 3.2, which is 0.45 ms for each of two exchanges or three hops on top of 1.75; where it is
///   compiled, 0.35 and 0.57 ms in all on top of a quarter of one GPU's time.
constexpr weft::planner::EngineTraits contiguous_engine(bool is_compiled) {
  return {.placement = weft::Placement::contiguous,
          .overlaps_stages = false,
          .overlaps_ring = false,
          .packs_exchanges = true,
          .repeated = {333, 2 * 1408, 1024},
          .extra_passes = is_compiled ? 0 : 73,
          .host_per_block = is_compiled ? 0.745e-3 : 1.75e-3,
          .host_per_exchange = is_compiled ? 0.18e-3 : 0.45e-3,
          .per_unit = 0.4e-3,
          .buffered = 8e6};
}

inline weft::planner::CostModel cost_of(const weft::Mesh& mesh, int px = 1024,
                                        const weft::planner::EngineTraits& engine = {},
                                        std::string_view machine = "a100-nvlink") {
  return {&hunyuan_work(),
          weft::planner::machine_named(machine),
          {.gpus = static_cast<int>(mesh.ranks()), .tokens = tokens_of(px)},
          engine,
          mesh};
}
