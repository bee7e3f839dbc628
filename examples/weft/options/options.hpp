// What the command line asks for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "weft/comm/job/launch_environment.hpp"
#include "weft/comm/mesh.hpp"
#include "weft/model/lora_file.hpp"

namespace command {

enum class Command { generate, forward, denoise, decode, bench, plan, tokenize, encode };
enum class Backend { host, cuda };
enum class Dtype { fp32, bf16, fp16, fp8 };

constexpr int most_ranks = 1024;

struct Sampling {
  std::string scheduler;  // empty: the one that scheduler_config.json names
  int steps = 50;
  float guidance = 5;
  float guidance_rescale = 0;
  std::uint64_t seed = 0;
};

/// Which steps leave blocks out, as --cache says.
struct Cache {
  enum class Rule { none, teacache, steps, skip } rule = Rule::none;
  double threshold = 0;              // of teacache
  std::vector<weft::Index> steps{};  // that leave blocks out
  weft::Index period = 0;            // of skip, from one full step to the next
};

/// Options of the planner.
struct Planning {
  bool has_degrees = false;  // the mesh is given, and nothing is planned
  bool exact = false;        // only methods whose output equals one rank's
  std::string hardware;      // a name or a file; empty: the backend's default
  int gpus = 8;
  std::optional<int> tokens;  // instead of --px
  std::optional<std::string> svg, calibrate;
  bool kernels = false;  // measure kernels beside their predictions
};

struct Options {
  Command command = Command::generate;
  std::set<std::string, std::less<>> given;  // the options on the line, such as "--steps"
  std::string model;
  std::vector<std::string> prompts;
  std::string negative;
  Sampling sampling;
  Cache cache;
  std::optional<int> height, width;        // in pixels
  std::optional<int> max_sequence_length;  // of T5's prompts, in tokens
  std::optional<bool> resolution_binning;  // unset: the pipeline's default
  std::vector<weft::Lora> loras;
  std::optional<std::string> inputs, noise, latents;
  std::optional<std::string> out, image_out, latents_out, trace;
  Backend backend = Backend::host;
  Dtype dtype = Dtype::fp32;
  std::string dtype_name;
  bool attends_in_int8 = false;
  weft::Mesh mesh;
  std::optional<int> ranks;
  std::optional<weft::LaunchEnvironment> launched;  // set in one of several processes
  double timeout = 8;                               // in seconds
  Planning planning;
  std::optional<double> memory_limit;    // in GB, of a device or the host
  std::string arch = "hunyuan-v1.2";     // of bench
  std::vector<int> px{512, 1024, 2048};  // sides of bench's images
  int timed_steps = 10;
  int images = 1;         // per batch, in bench
  bool projects = false;  // bench projects many devices from measurements of one
  bool compares = false;  // bench compares an evaluation with float32's
  std::optional<std::string> json;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();  // the program's start

  /// Returns the number of ranks.
  weft::Index world() const { return launched ? launched->world : ranks ? *ranks : mesh.ranks(); }
  /// Returns whether neither a launcher nor --ranks nor a degree sets the number of ranks.
  bool leaves_ranks_open() const { return !launched && !ranks && !planning.has_degrees; }
  /// Returns whether the planner chooses the mesh where there are several ranks.
  bool may_plan_mesh() const {
    return !planning.has_degrees && (launched || ranks || backend == Backend::cuda);
  }
  bool has(std::string_view option) const { return given.contains(option); }
  /// Returns whether `generate` writes images, and not only latents.
  bool has_images() const { return command == Command::generate && (out || image_out); }
  /// Returns whether this process prints and writes files: rank 0's.
  bool prints() const { return !launched || launched->rank == 0; }
};

/// Returns the options with one rank for each of the count_gpus() GPUs that this process can drive, where it
/// computes on GPUs and the number of ranks is open.
template <class CountGpus>
[[nodiscard]] Options with_all_gpus(Options options, const CountGpus& count_gpus) {
  const bool computes_on_gpus =
      options.backend == Backend::cuda && options.command != Command::plan && !options.projects;
  if (computes_on_gpus && options.leaves_ranks_open()) options.ranks = count_gpus();
  return options;
}

/// Returns the options with the mesh of one rank, which has no patches to warm up, where the planner would
/// choose among several and there is one.
[[nodiscard]] inline Options with_mesh_of_one(Options options) {
  if (options.command != Command::plan && options.may_plan_mesh() && options.world() == 1) options.mesh = {};
  return options;
}

}  // namespace command
