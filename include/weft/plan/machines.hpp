// Machines that are known by name. A new one is a line of each table, or a file that `calibrate` writes.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/plan/hardware.hpp"

namespace weft {

struct Machine {
  std::string_view name;
  Hardware hardware;
};

namespace gpus {

constexpr double gb = 1e9, tera = 1e12, us = 1e-6;

// Data sheets give dense 16-bit FLOP/s, B/s and multiprocessors; what is reached of them is a share.
/// NVIDIA A100 80GB SXM data sheet: 312 TFLOP/s, 2039 GB/s, 108. Large products reach four fifths,
/// FlashAttention-2 (Dao, 2023, figure 4) 190 TFLOP/s.
inline constexpr Gpu a100{0.8 * 312 * tera, 190 * tera, 0.85 * 2039 * gb, 80 * gb, 108, 3 * us};
/// NVIDIA L40 data sheet: 181 TFLOP/s, 864 GB/s, 48 GB, 142; 300 W keep clocks down, so two thirds.
inline constexpr Gpu l40{0.67 * 181 * tera, 0.5 * 181 * tera, 0.85 * 864 * gb, 48 * gb, 142, 3 * us};
/// NVIDIA L20 product brief: 119.5 TFLOP/s, 864 GB/s, 48 GB, 92.
inline constexpr Gpu l20{0.8 * 119.5 * tera, 0.6 * 119.5 * tera, 0.85 * 864 * gb, 48 * gb, 92, 3 * us};
/// NVIDIA V100 SXM2 data sheet: 125 TFLOP/s, 900 GB/s, 32 GB, 80. Jia et al., "Dissecting the NVIDIA Volta
/// GPU Architecture", 2018: products reach about 0.7.
inline constexpr Gpu v100{0.7 * 125 * tera, 0.4 * 125 * tera, 0.85 * 900 * gb, 32 * gb, 80, 4 * us};
/// NVIDIA T4 data sheet: 65 TFLOP/s, 320 GB/s, 16 GB, 40. Jia et al., "Dissecting the NVidia Turing T4 GPU",
/// 2019: at 70 W clocks fall and products reach 0.4 and less.
inline constexpr Gpu t4{0.4 * 65 * tera, 0.3 * 65 * tera, 0.8 * 320 * gb, 16 * gb, 40, 4 * us};
/// NVIDIA H100 SXM, 989 TFLOP/s and 3350 GB/s by its data sheet. Measured 2026-11-24: products of cuBLAS
/// (tests/plan) fit 780 TFLOP/s, weft's attention (kernels/weft/NOTES.md) 663, and a copy 2.93 TB/s.
inline constexpr Gpu h100{780 * tera, 663 * tera, 2930 * gb, 80 * gb, 132, 2 * us};
/// NVIDIA H200 data sheet: the H100's multiprocessors with 4800 GB/s and 141 GB.
inline constexpr Gpu h200{780 * tera, 663 * tera, 0.87 * 4800 * gb, 141 * gb, 132, 2 * us};
/// A core of a server with AVX-512, in float32, orders of magnitude. Relative costs count: all ranks share
/// the host.
inline constexpr Gpu host_core{60e9, 30e9, 8 * gb, 64 * gb, 1, 5 * us};

}  // namespace gpus

namespace links {

using gpus::gb, gpus::us;

// A message's latency is that of a kernel which sends and one which notices.
/// NVLink 3: 300 GB/s a direction (A100 data sheet), nccl-tests reach 230 to 240. Hosts: 200 Gb/s a GPU.
inline constexpr std::array nvlink3{Tier{8, 230 * gb, 8 * us}, Tier{8, 230 * gb, 8 * us},
                                    Tier{all_gpus, 22 * gb, 20 * us}};
/// NVLink 4: 450 GB/s a direction (H100 data sheet), nccl-tests reach 360 to 390. Hosts: 400 Gb/s a GPU.
inline constexpr std::array nvlink4{Tier{8, 370 * gb, 8 * us}, Tier{8, 370 * gb, 8 * us},
                                    Tier{all_gpus, 45 * gb, 20 * us}};
/// NVLink 2 of the DGX-1 (its white paper): 25 GB/s a link and direction, one or two links to the GPUs of the
/// same four, one to one of the other four.
inline constexpr std::array nvlink2{Tier{4, 40 * gb, 10 * us}, Tier{8, 22 * gb, 10 * us},
                                    Tier{all_gpus, 11 * gb, 30 * us, true}};
/// PCIe 4.0 x16: 32 GB/s a direction, of which a pair alone reaches 20 to 25 and all pairs under one root at
/// once about half. Four GPUs a socket; what crosses sockets shares a link between processors. One card of
/// 100 Gb/s a host.
inline constexpr std::array pcie4{Tier{4, 12 * gb, 15 * us}, Tier{8, 30 * gb, 20 * us, true},
                                  Tier{all_gpus, 11 * gb, 30 * us, true}};
/// PCIe 3.0 x16: 16 GB/s a direction; otherwise the same.
inline constexpr std::array pcie3{Tier{4, 6 * gb, 15 * us}, Tier{8, 20 * gb, 20 * us, true},
                                  Tier{all_gpus, 11 * gb, 30 * us, true}};
/// Threads of one process: a copy in its memory.
inline constexpr std::array memory{Tier{all_gpus, 5 * gb, 20 * us}, Tier{all_gpus, 5 * gb, 20 * us},
                                   Tier{all_gpus, 5 * gb, 20 * us}};

}  // namespace links

inline constexpr std::array machines{
    Machine{"a100-nvlink", {gpus::a100, links::nvlink3}},
    Machine{"l40-pcie", {gpus::l40, links::pcie4}},
    Machine{"l20-pcie", {gpus::l20, links::pcie4}},
    Machine{"v100-nvlink", {gpus::v100, links::nvlink2}},
    Machine{"t4-pcie", {gpus::t4, links::pcie3}},
    Machine{"h100-nvlink", {gpus::h100, links::nvlink4}},
    Machine{"h200-nvlink", {gpus::h200, links::nvlink4}},
    Machine{"host", {gpus::host_core, links::memory}},
};

/// Refused, with the names that there are, if there is no such machine.
inline const Hardware& machine_named(std::string_view name) {
  std::vector<std::string> names;
  for (const Machine& machine : machines) {
    if (machine.name == name) return machine.hardware;
    names.emplace_back(machine.name);
  }
  refuse("there is no hardware ", name, "; there are ", listed(names), ", or a file that --calibrate wrote");
}

}  // namespace weft
