// The command weft. Exit code 2: rejected before any work; 1: failed.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <optional>
#include <utility>

#include "bench/bench.hpp"
#include "cuda/run.hpp"
#include "input/archs.hpp"
#include "input/packed.hpp"
#include "mpi/run.hpp"
#include "nccl/run.hpp"
#include "options/parse.hpp"
#include "output/outputs.hpp"
#include "output/stopwatch.hpp"
#include "plan/choose_mesh.hpp"
#include "plan/plan.hpp"
#include "process.hpp"
#include "run/decode.hpp"
#include "run/pipeline.hpp"
#include "run/run.hpp"
#include "text/encode.hpp"
#include "text/tokenize.hpp"
#include "weft/core/exposure.hpp"

namespace command {

namespace {

/// Runs generate, forward or denoise in one process; rank 0's prints and writes.
void run_work(const Options& given, const Run& run_on_ranks, weft::Trace* trace) {
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
  if (pipeline) work = pipeline->encoded(given, trace);
  const Options options = with_mesh(given, model, work);

  Results results{.tensor = run_on_ranks(options, model, std::move(work), trace)};
  if (!outputs) return;
  if (options.command == Command::forward && std::holds_alternative<weft::FluxConfig>(model.settings()))
    results.tensor = packed(results.tensor);
  if (outputs->has_images())
    results.images = pipeline ? pipeline->decoded(options, results.tensor, trace) : results.tensor;
  Stopwatch watch;
  const auto written = outputs->write(results, trace);
  watch.lap("write, " + weft::listed(written));
  if (!trace) return;
  for (const weft::Exposure& axis : exposures(*trace)) std::printf("%s\n", to_string(axis).c_str());
}

/// Runs generate, forward or denoise on threads of this process, or with the other processes of a job.
void run_model(const Options& options) {
  constexpr weft::Index most_lanes = 1 << 20;  // a larger world is rejected
  std::optional<weft::Trace> trace;
  if (options.trace) trace.emplace(static_cast<int>(std::min(options.world(), most_lanes)));
  const auto body = [&options, &trace](const Run& run_on_ranks) {
    run_work(options, run_on_ranks, trace ? &*trace : nullptr);
  };
  if (!options.launched)
    body(run);
  else if (options.backend == Backend::host)
    in_processes(options, body);
  else
    in_processes_on_cuda(options, body);
}

void run_command(const Options& options) {
  switch (options.command) {
    case Command::bench:
      return bench(options);
    case Command::plan:
      return plan(options);
    case Command::decode:
      return decode(options);
    case Command::tokenize:
      return tokenize(options);
    case Command::encode:
      return encode(options);
    default:
      return run_model(options);
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
    run_command(with_all_gpus(options, [&options] { return gpus_on_cuda(options); }));
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
