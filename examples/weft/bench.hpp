// How fast the steps of a model are, where their time goes, and how far that is from what the device can do.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "options.hpp"
#include "transfer_report.hpp"
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

/// A size of image that is measured, and on which mesh.
struct BenchCase {
  int px = 0;
  weft::Mesh mesh{};
};

/// A whole request, from the call to the image.
struct RequestReport {
  double ms = 0;
  std::vector<double> step_ms;  // of every step

  /// What it takes beyond its steps, the first of which counts as the median of the others.
  double beyond_steps_ms() const;
};

/// The loop of one size of image.
struct SizeReport {
  int px = 0;
  weft::Mesh mesh;
  std::vector<double> step_ms;            // of every steady step
  std::array<RequestReport, 2> requests;  // of the same shape, one after the other
  std::vector<double> launch_ms;          // of the host, for each of the last launches of a step
  double first_step_s = 0;                // after the program's start
  std::vector<weft::Lane::Slice> slices;  // of the operators of `traced_steps` more steps
  int traced_steps = 0;
  std::optional<double> error;  // of an evaluation: the relative L2 distance from float32's
};

struct BenchReport {
  std::string device;
  Roofline roofline;
  std::vector<SizeReport> sizes;
  std::vector<TransferReport> transfers;
};

/// What the planner is asked of bench's images of this side; rejected if it is no whole number of tokens.
weft::planner::PlanRequest bench_request(const Options& options, const weft::DitShape& shape, int px,
                                         weft::Index ranks);

/// The sizes, those of each mesh together.
std::vector<std::vector<BenchCase>> by_mesh(const std::vector<BenchCase>& sizes);

/// Adds what further meshes' ranks have measured.
void append(BenchReport& report, const BenchReport& more);

/// Every size with its mesh, the given or a planned one; rejected if one cannot run.
std::vector<BenchCase> bench_cases(const Options& options, const weft::DitShape& shape);

/// Prints a line about the memory that each takes; rejected if one does not fit.
void tell_memory(const Options& options, const std::vector<BenchCase>& sizes, const weft::DitShape& shape);

/// HunyuanDiT v1.2.
weft::HunyuanConfig bench_config();

/// Measures, prints a table a size, and writes the options' --json.
void bench(const Options& options);

}  // namespace command
