// What the command line says.
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

namespace command {

enum class Command { generate, forward, denoise, bench, plan };
enum class Backend { host, cuda };
enum class Dtype { fp32, bf16, fp16, fp8 };

struct Sampling {
  std::string scheduler;  // empty: the one that the settings name
  int steps = 50;
  float guidance = 5;
  float guidance_rescale = 0;
  std::uint64_t seed = 0;
};

/// What the planner is asked.
struct Planning {
  bool has_degrees = false;  // the mesh is given, and nothing is planned
  bool exact = false;        // only methods whose output equals one rank's
  std::string hardware;      // a name or a file; empty: the backend's
  int gpus = 8;
  std::optional<int> tokens;  // instead of --px
  std::optional<std::string> svg, calibrate;
  bool kernels = false;  // measured beside their predictions
};

struct Options {
  Command command = Command::generate;
  std::set<std::string, std::less<>> given;  // the options of the line, such as "--steps"
  std::string model;
  std::vector<std::string> prompts;
  std::string negative;
  Sampling sampling;
  std::optional<int> height, width;  // in pixels
  std::optional<std::string> inputs, noise;
  std::optional<std::string> out, latents_out, trace;
  Backend backend = Backend::host;
  Dtype dtype = Dtype::fp32;
  std::string dtype_name;
  weft::Mesh mesh;
  std::optional<int> ranks;
  std::optional<weft::LaunchEnvironment> launched;  // as one of several processes
  double timeout = 8;                               // in seconds
  Planning planning;
  std::optional<double> memory_limit;    // in GB, of a device or the host
  std::vector<int> px{512, 1024, 2048};  // sides of bench's images
  int timed_steps = 10;
  int images = 1;         // side by side in bench
  bool projects = false;  // many devices from measurements of one
  bool compares = false;  // bench's numbers with float32's
  std::optional<std::string> json;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();  // the program

  weft::Index world() const { return launched ? launched->world : ranks ? *ranks : mesh.ranks(); }
  /// Whether neither a launcher nor --ranks nor a degree says how many ranks there are.
  bool leaves_ranks_open() const { return !launched && !ranks && !planning.has_degrees; }
  /// Whether the planner chooses the mesh where there are several ranks.
  bool may_plan_mesh() const {
    return !planning.has_degrees && (launched || ranks || backend == Backend::cuda);
  }
  bool has(std::string_view option) const { return given.contains(option); }
  /// Whether this process is the one that prints and writes files.
  bool speaks() const { return !launched || launched->rank == 0; }
};

/// Where ranks are left open, one for each GPU that this process can drive: on CUDA devices, count_gpus() of
/// them.
template <class CountGpus>
Options with_all_gpus(Options options, const CountGpus& count_gpus) {
  const bool computes_on_gpus =
      options.backend == Backend::cuda && options.command != Command::plan && !options.projects;
  if (computes_on_gpus && options.leaves_ranks_open()) options.ranks = count_gpus();
  return options;
}

/// What to write where there is no GPU, as the end of a sentence.
std::string what_needs_no_gpu(const Options& options);

/// Nothing if the line asks for help or the version, which is printed then; rejected if it makes no sense.
std::optional<Options> parse(int argc, char** argv);

/// The options of a process of a job; rejected if they contradict it, or one of them has no effect there.
Options with_launcher(Options options, const std::optional<weft::LaunchEnvironment>& launched);

}  // namespace command
