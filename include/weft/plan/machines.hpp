// Machines with names. A new one is a line of each table, or a file that `weft plan --calibrate` writes.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/plan/hardware.hpp"

namespace weft::inline v0_1::planner {

struct Machine {
  std::string_view name;
  Hardware hardware;
};

namespace gpus {

constexpr double gb = 1e9, tera = 1e12, us = 1e-6;

// Data sheets give dense 16-bit FLOP/s (half of those "with sparsity"), B/s, and cores, of which a
// multiprocessor has 64 or, from Ada on, 128. The rates of large products were measured by the named sources;
// those of attention and copies, and of a launch, are estimates unless a source is named.
/// NVIDIA A100 80GB SXM data sheet: 312 TFLOP/s, 2039 GB/s, 6912 cores. Bekman, "Machine Learning
/// Engineering" (compute/accelerator): 267.9 in products. Dao, "FlashAttention-2", 2023: 50 to 73 % of the
/// peak in attention.
inline constexpr Gpu a100{267.9 * tera, 0.61 * 312 * tera, 0.85 * 2039 * gb, 80 * gb, 108, 3 * us};
/// NVIDIA L40 data sheet: 181.05 TFLOP/s, 864 GB/s, 48 GB, 18176 cores, 300 W. Products as those of the L20,
/// which is the same chip with 275 W, by the power: an estimate. Half of the peak in attention.
inline constexpr Gpu l40{110 * 300.0 / 275 * tera, 0.5 * 181 * tera, 0.85 * 864 * gb, 48 * gb, 142, 3 * us};
/// Published specifications of the L20: 119.5 TFLOP/s (so xDiT's docs/performance/hunyuandit.md, too), 864
/// GB/s, 48 GB, 92 multiprocessors, 275 W. DefTruth, "CUDA-Learn-Notes" (hgemm): cuBLAS takes products at 105
/// to 115.
inline constexpr Gpu l20{110 * tera, 0.6 * 119.5 * tera, 0.85 * 864 * gb, 48 * gb, 92, 3 * us};
/// NVIDIA V100 SXM2 data sheet: 125 TFLOP/s, 900 GB/s, 32 GB, 5120 cores. Markidis et al., "NVIDIA Tensor
/// Core Programmability, Performance & Precision", 2018: 83 in products. No FlashAttention: 0.4 of the peak.
inline constexpr Gpu v100{83 * tera, 0.4 * 125 * tera, 0.85 * 900 * gb, 32 * gb, 80, 4 * us};
/// NVIDIA T4 data sheet: 65 TFLOP/s, 320 GB/s, 16 GB, 2560 cores, 70 W. Jia et al., "Dissecting the NVidia
/// Turing T4 GPU via Microbenchmarking", 2019: clocks fall at its power limit. ILGPU.Algorithms pull request
/// 90: a product of 8192 cubed in 0.04 s, which is 27.5 TFLOP/s.
inline constexpr Gpu t4{27.5 * tera, 0.3 * 65 * tera, 0.8 * 320 * gb, 16 * gb, 40, 4 * us};
/// What weft's kernels for sm_90a do (kernels/weft/NOTES.md). softmax_share: 4429 queries and keys with 76
/// heads of 64 features take 733 us, 4096 with 32 of 72 and of 88 294 and 306, 4608 with 24 of 128 371: a
/// tile takes 0.57 us and 6.3 ns more a feature. split_key_cost: that of choice.hpp. stored_early: the layers
/// of HunyuanDiT at two sizes, SD3.5-large, FLUX.1-dev and PixArt hide 0.33, 0.55, 0.44, 0.42 and 0.67 of
/// their stores, which is 0.56 of those of all rounds but one. A step gains less, since it is at its power
/// limit: 0.4 is what steps with Ulysses take (tests/plan).
inline constexpr double sm90_softmax_share = 0.5, sm90_split_key_cost = 1.2, sm90_stored_early = 0.4;
/// NVIDIA H100 SXM data sheet: 989 TFLOP/s, 3350 GB/s, 80 GB, 16896 cores. Bekman: 792.1 in
/// products. Measured 2026-11-24: those of cuBLAS (tests/plan) fit 780, weft's attention
/// (kernels/weft/NOTES.md) 663 TFLOP/s, and a copy 2.93 TB/s.
inline constexpr Gpu h100{.matrix_rate = 780 * tera,
                          .attention_rate = 663 * tera,
                          .memory_rate = 2930 * gb,
                          .memory = 80 * gb,
                          .multiprocessors = 132,
                          .launch = 2 * us,
                          .softmax_share = sm90_softmax_share,
                          .split_key_cost = sm90_split_key_cost,
                          .stored_early = sm90_stored_early};
/// NVIDIA H200 data sheet: the H100's multiprocessors with 4800 GB/s and 141 GB. Kernels timed alone
/// (tests/plan) are met within 15 %. In a step the GPU is at its power limit, where a product of 8192 cubed
/// took 717 TFLOP/s in the call that timed FLUX.1 (engine/NOTES.md): with it that model's products take 89
/// ms, measured 90, and HunyuanDiT's 32, measured 31. Measured in a step (kernels/weft/NOTES.md): 7 passes
/// over 8192 rows 110 us (3 norms 53, q and k 36, where v stays, the text's q 20.5); a residual adds 6 us to
/// 8192 x 1408 numbers, GELU 25 to 8192 x 6144, so either 2 T/s.
inline constexpr Gpu h200{.matrix_rate = 840 * tera,
                          .attention_rate = 663 * tera,
                          .memory_rate = 0.87 * 4800 * gb,
                          .memory = 141 * gb,
                          .multiprocessors = 132,
                          .launch = 2 * us,
                          .sustained_matrix_rate = 717 * tera,
                          .rows_rate = 3370 * gb,
                          .epilogue_rate = 2 * tera,
                          .softmax_share = sm90_softmax_share,
                          .split_key_cost = sm90_split_key_cost,
                          .stored_early = sm90_stored_early};
/// A core of a server with AVX-512, in float32, to an order of magnitude. Only relative costs matter: all
/// ranks share the host.
inline constexpr Gpu host_core{60e9, 30e9, 8 * gb, 64 * gb, 1, 5 * us};

}  // namespace gpus

namespace links {

using gpus::gb, gpus::us;

// Rates of links are those with which NCCL plans (src/graph/topo.h), in GB/s and direction: a link of NVLink
// 20 (V100, A100) or 20.6 (H100), PCIe 3.0 x16 12 and 4.0 x16 24, between processors 10 (Intel, Skylake
// on) or 16 (AMD), and 100 Gb/s of network 12. A message's latency, that of a kernel that sends and one
// that polls, is an estimate.
/// 12 links a GPU (A100 data sheet: 600 GB/s both ways); nccl-tests on eight report 230 to 250. Hosts: a card
/// of 200 Gb/s a GPU, as a DGX A100 has.
inline constexpr std::array nvlink3{Tier{8, 240 * gb, 8 * us}, Tier{8, 240 * gb, 8 * us},
                                    Tier{all_gpus, 24 * gb, 20 * us}};
/// 18 links a GPU (H100 data sheet: 900 GB/s both ways). Hosts: a card of 400 Gb/s a GPU, as a DGX H100 has.
inline constexpr std::array nvlink4{Tier{8, 370 * gb, 8 * us}, Tier{8, 370 * gb, 8 * us},
                                    Tier{all_gpus, 48 * gb, 20 * us}};
/// The same links between H200s of one host, as `weft plan --calibrate` measured them on 2026-11-26:
/// copies of one GPU to another, stores of kernels, and messages of processes over NCCL (both ways at once,
/// with their waiting). In a step two figures are larger, and fitted to steps (tests/plan): a barrier takes
/// 2.0 us where ranks come to it together, and 5.5 is what Ulysses' steps take beyond those of the guidance
/// split; a copy takes 4 where nothing comes before it, but begins 10 to 15 after what it waits for
/// (comm/NOTES.md), and 18 is what Ring's two copies a hop take at 512 px. Hosts as above.
inline constexpr Link nvlink4_stores{359 * gb, 5.5 * us}, nvlink4_nccl{303 * gb, 23 * us};
inline constexpr std::array nvlink4_h200{Tier{8, 397 * gb, 18 * us, false, nvlink4_stores, nvlink4_nccl},
                                         Tier{8, 397 * gb, 18 * us, false, nvlink4_stores, nvlink4_nccl},
                                         Tier{all_gpus, 48 * gb, 20 * us}};
/// Between two replays of a graph of several H200s, which begin and end with all of them, for each but one:
/// what steps at 512 px take on two and on four GPUs beyond their kernels and transfers (tests/plan).
inline constexpr double h200_relaunch = 150 * us;
/// The DGX-1 (its white paper): one or two links of NVLink 2 to the GPUs of the same four, one to one of the
/// other four. Dell measured 47.9 GB/s over two links ("Deep Learning with NVIDIA", p2pBandwidthLatencyTest).
inline constexpr std::array nvlink2{Tier{4, 40 * gb, 10 * us}, Tier{8, 20 * gb, 10 * us},
                                    Tier{all_gpus, 12 * gb, 30 * us, true}};
/// Four GPUs behind a switch on each of two processors: nccl-tests issue 307 shows NCCL's view of such a
/// host, GPU - PCI[24.0] - CPU - SYS[10.0] - CPU. Messages go through the host's memory, where GPUs cannot
/// write into each other's, so four share the way up to it; and all pairs that cross share what connects the
/// processors, which xDiT names as what slows its eight L40s (docs/performance/flux.md: "due to the need for
/// QPI communication"). One card of 100 Gb/s a host, an estimate: xDiT's hosts have Ethernet.
inline constexpr std::array pcie4{Tier{4, 24 * gb, 15 * us, true}, Tier{8, 10 * gb, 20 * us, true},
                                  Tier{all_gpus, 12 * gb, 30 * us, true}};
/// PCIe 3.0, otherwise the same.
inline constexpr std::array pcie3{Tier{4, 12 * gb, 15 * us, true}, Tier{8, 10 * gb, 20 * us, true},
                                  Tier{all_gpus, 12 * gb, 30 * us, true}};
/// Threads of one process: a copy in its memory.
inline constexpr std::array memory{Tier{all_gpus, 5 * gb, 20 * us}, Tier{all_gpus, 5 * gb, 20 * us},
                                   Tier{all_gpus, 5 * gb, 20 * us}};

}  // namespace links

/// h200-pcie4 stands for H200s without NVLink, in a host with PCIe 4.0.
inline constexpr std::array machines{
    Machine{"a100-nvlink", {gpus::a100, links::nvlink3}},
    Machine{"l40-pcie", {gpus::l40, links::pcie4}},
    Machine{"l20-pcie", {gpus::l20, links::pcie4}},
    Machine{"v100-nvlink", {gpus::v100, links::nvlink2}},
    Machine{"t4-pcie", {gpus::t4, links::pcie3}},
    Machine{"h100-nvlink", {gpus::h100, links::nvlink4}},
    Machine{"h200-nvlink", {gpus::h200, links::nvlink4_h200, links::h200_relaunch}},
    Machine{"h200-pcie4", {gpus::h200, links::pcie4}},
    Machine{"host", {gpus::host_core, links::memory}},
};

/// Returns the machine of that name. Throws InvalidArgument, with all names, if there is none.
inline const Hardware& machine_named(std::string_view name) {
  std::vector<std::string> names;
  for (const Machine& machine : machines) {
    if (machine.name == name) return machine.hardware;
    names.emplace_back(machine.name);
  }
  reject("there is no hardware ", name, "; there are ", listed(names),
         ", or a file that hardware_json wrote");
}

}  // namespace weft::inline v0_1::planner
