// The command weft. Exit code 2: rejected before any work; 1: failed.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench.hpp"
#include "cuda/run.hpp"
#include "input/archs.hpp"
#include "input/packed.hpp"
#include "input/reuse.hpp"
#include "mpi/run.hpp"
#include "nccl/run.hpp"
#include "options/parse.hpp"
#include "output/outputs.hpp"
#include "output/stopwatch.hpp"
#include "plan/choose_mesh.hpp"
#include "plan/memory.hpp"
#include "plan/model_work.hpp"
#include "plan/plan.hpp"
#include "process.hpp"
#include "run/decode.hpp"
#include "run/pipeline.hpp"
#include "run/stages.hpp"
#include "text/encode.hpp"
#include "text/tokenize.hpp"
#include "weft/core/exposure.hpp"

namespace command {

namespace {

/// Prints which steps leave blocks out where --cache is given.
void print_reuse(const Options& options, const Work& work) {
  if (!options.has("--cache") || !options.prints()) return;
  const auto print = [](const auto& asked) {
    if constexpr (requires { asked.reuse; })
      std::printf("%s\n", description_of(asked.reuse, std::ssize(asked.sampler)).c_str());
  };
  visit_work(print, work);
}

/// Runs generate, forward or denoise on the ranks of `stages`; rank 0's process prints and writes.
void run_work(const Options& given, Stages& stages, const weft::Trace* trace) {
  const ModelFolder model(given.model);
  if (!plans_mesh(given)) check_mesh(given, model);
  std::optional<Pipeline> pipeline;
  Work work;
  if (given.command == Command::generate && weft::pipeline::PipelineFolder::is_at(given.model))
    pipeline.emplace(given, model);
  else
    work = work_of(given, model);
  std::optional<Outputs> outputs;
  if (given.prints())
    outputs.emplace(given, model, pipeline ? pipeline->images() : given.prompts.size(), pipeline.has_value());
  if (pipeline) work = pipeline->outline();
  const weft::Reuse reuse = reuse_of(work, given.cache, model);
  set_reuse(work, reuse);
  print_reuse(given, work);
  const Options options = with_mesh(given, model, work);
  const auto counted = model_work(model.settings(), options.dtype, work);
  check_mesh(options, model, work, counted->prefix());
  if (options.backend == Backend::cuda) check_model_on_cuda(options, model);
  std::string memory = checked_memory(options, *counted, plan_request(options, work, model.shape()));
  if (pipeline) {
    const std::vector<std::string> others = pipeline->checked_stages(options);
    if (options.prints()) {
      std::printf("%s\n", std::exchange(memory, {}).c_str());
      for (const std::string& line : others) std::printf("%s\n", line.c_str());
    }
  }
  if (pipeline) {
    work = pipeline->encoded(options, stages);
    set_reuse(work, reuse);
  }

  const bool decodes = pipeline && options.has_images();
  RunResult result = stages.run(
      options, model, std::move(work),
      {.whole = !decodes || options.latents_out.has_value(), .bands = decodes, .memory = std::move(memory)});
  Results results{.tensor = std::move(result.whole)};
  if (decodes) results.images = pipeline->decoded(options, result.bands, stages);
  if (trace) stages.collect_trace();
  if (!outputs) return;
  if (options.command == Command::forward && std::holds_alternative<weft::FluxConfig>(model.settings()))
    results.tensor = packed(results.tensor);
  if (!decodes && options.has_images()) results.images = results.tensor;
  Stopwatch watch;
  const auto written = outputs->write(results, trace);
  watch.lap("write, " + weft::listed(written));
  if (!trace) return;
  for (const weft::Exposure& axis : exposures(*trace)) std::printf("%s\n", to_string(axis).c_str());
}

/// Calls body(stages, trace) in this process, whose ranks are threads or devices, or with the other processes
/// of a job. The trace is null unless the options ask for one.
template <class Body>
void on_stages(const Options& options, const Body& body) {
  constexpr weft::Index most_lanes = 1 << 20;  // a larger world is rejected
  std::optional<weft::Trace> trace;
  if (options.trace) trace.emplace(static_cast<int>(std::min(options.world(), most_lanes)));
  weft::Trace* const recorded = trace ? &*trace : nullptr;
  const auto in_process = [&body, recorded](Stages& stages) { body(stages, recorded); };
  if (!options.launched) {
    StagesHere stages(recorded);
    in_process(stages);
  } else if (options.backend == Backend::host) {
    in_processes(options, recorded, in_process);
  } else {
    in_processes_on_cuda(options, recorded, in_process);
  }
}

void run_command(const Options& options) {
  switch (options.command) {
    case Command::bench:
      return bench(options);
    case Command::plan:
      return plan(options);
    case Command::decode:
      return on_stages(
          options, [&options](Stages& stages, const weft::Trace* trace) { decode(options, stages, trace); });
    case Command::tokenize:
      return tokenize(options);
    case Command::encode:
      return on_stages(options, [&options](Stages& stages, const weft::Trace*) { encode(options, stages); });
    default:
      return on_stages(options, [&options](Stages& stages, const weft::Trace* trace) {
        run_work(options, stages, trace);
      });
  }
}

/// Runs the command line and returns the exit code. Help and the version are printed even where a launcher's
/// variables are not valid.
int run_line(int argc, char** argv) {
  std::optional<weft::LaunchEnvironment> launched;
  std::exception_ptr launch_fault;
  try {
    launched = weft::launch_environment();
    if (launched && launched->world == 1) launched.reset();
  } catch (const weft::InvalidArgument&) {
    launch_fault = std::current_exception();
  }
  try {
    const std::optional<Options> line = parse(argc, argv);
    if (!line) return 0;
    if (launch_fault) std::rethrow_exception(launch_fault);
    check_stack();
    const Options options = with_launcher(*line, launched);
    if (options.command == Command::bench) static_cast<void>(arch_named(options.arch));
    run_command(with_mesh_of_one(with_all_gpus(options, [&options] { return gpus_on_cuda(options); })));
    return 0;
  } catch (const weft::InvalidArgument& error) {
    return end_rejected(launched, error);
  } catch (const std::bad_alloc&) {
    std::cerr << "the memory is too small for this\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
  return 1;
}

}  // namespace

}  // namespace command

int main(int argc, char** argv) {
  command::hold_standard_streams();
  return command::flush_output(command::run_line(argc, argv));
}
