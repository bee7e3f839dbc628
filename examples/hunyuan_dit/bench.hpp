// How fast the steps of a model are, where their time goes, and how far that is from what the device can do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "options.hpp"
#include "weft/core/trace.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/plan/block_cost.hpp"

namespace command {

/// What a device reached in the same run.
struct Roofline {
  double flop_rate = 0;    // of a product of 8192³, in FLOP/s
  double e4m3_rate = 0;    // the same in e4m3; 0 if nothing runs in it
  double memory_rate = 0;  // of a copy of 1 GiB, bytes read and written, in B/s
};

/// The loop of one size of picture.
struct SizeReport {
  int px = 0;
  weft::Mesh mesh;
  std::vector<double> step_ms;            // of every step
  double first_step_s = 0;                // after the program's start
  std::vector<weft::Lane::Slice> slices;  // of the operators of `traced_steps` more steps
  int traced_steps = 0;
  std::optional<double> error;  // of an evaluation: the relative L2 distance from float32's
};

struct BenchReport {
  std::string device;
  Roofline roofline;
  std::vector<SizeReport> sizes;
};

/// What the planner is asked of bench's pictures of this side.
weft::PlanRequest bench_request(const Options& options, const weft::DitShape& shape, int px,
                                weft::Index ranks);

/// Prints a line about the memory of the options' mesh for every size; refused if any does not fit.
void tell_memory(const Options& options, const weft::DitShape& shape);

/// HunyuanDiT v1.2.
weft::HunyuanConfig bench_config();

/// Measures, prints a table a size, and writes the options' --json.
void bench(const Options& options);

}  // namespace command
