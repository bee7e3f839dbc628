// Measurements of `bench`: steps, requests, operators and transfers, beside the rates of the device.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "transfer_report.hpp"
#include "weft/core/trace.hpp"
#include "weft/policy/reuse.hpp"

namespace command {

/// Rates that the device reached in the same run.
struct Roofline {
  double flop_rate = 0;    // of a product of 8192³, in FLOP/s
  double e4m3_rate = 0;    // the same in e4m3; 0 if nothing runs in it
  double memory_rate = 0;  // of a copy of 1 GiB, in bytes read and written per second
};

/// Times of a whole request, from the call to the image.
struct RequestReport {
  double ms = 0;
  std::vector<double> step_ms;  // for every step

  /// Returns the milliseconds beyond those of the steps.
  double beyond_steps_ms() const;
};

/// Times of the loop at one size of image.
struct SizeReport {
  int px = 0;
  weft::Mesh mesh;
  weft::Reuse reuse;
  std::vector<double> step_ms;            // for every steady step
  std::array<RequestReport, 2> requests;  // of the same shape, one after the other
  std::vector<double> launch_ms;          // on the host, for each of the last launches of a step
  double first_step_s = 0;                // after the program's start
  std::vector<weft::Lane::Slice> slices;  // operators of `traced_steps` further steps
  int traced_steps = 0;
  weft::Lane::Saturation saturation;  // in these steps and the one before
  std::optional<double> error;        // relative L2 distance of an evaluation from float32's

  /// Returns the milliseconds of a step: the median, or the mean where some leave blocks out.
  double typical_step_ms() const;
};

struct BenchReport {
  std::string arch;
  weft::Index branches = 1;  // of guidance in a step
  std::string device;
  Roofline roofline;
  std::vector<SizeReport> sizes;
  std::vector<TransferReport> transfers;
};

}  // namespace command
