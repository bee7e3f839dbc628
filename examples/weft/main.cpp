// weft: generates, evaluates and denoises with a model's folder. Exit code 2: rejected before any
// work; 1: failed.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <optional>

#include "bench.hpp"
#include "cuda/run.hpp"
#include "mpi/run.hpp"
#include "nccl/run.hpp"
#include "outputs.hpp"
#include "planning.hpp"
#include "process.hpp"
#include "run.hpp"
#include "stopwatch.hpp"
#include "weft/core/exposure.hpp"

namespace command {

/// In every process. One alone speaks and writes.
void obey(const Options& asked, const Run& run_work, weft::Trace* trace) {
  const ModelFolder model(asked.model);
  if (!plans_mesh(asked)) check_mesh(asked, model);
  Work work = work_of(asked, model);
  const Options options = with_mesh(asked, model, work);
  std::optional<Outputs> outputs;
  if (options.speaks()) outputs.emplace(options, model);

  const weft::Tensor result = run_work(options, model, std::move(work), trace);
  if (!outputs) return;
  Stopwatch watch;
  const auto written = outputs->write(result, trace);
  watch.lap("write, " + weft::listed(written));
  if (!trace) return;
  for (const weft::Exposure& axis : exposures(*trace)) std::printf("%s\n", to_string(axis).c_str());
}

void obey(const Options& options) {
  constexpr weft::Index most_lanes = 1 << 20;  // a larger world is rejected
  std::optional<weft::Trace> trace;
  if (options.trace) trace.emplace(static_cast<int>(std::min(options.world(), most_lanes)));
  const auto obey_with = [&options, &trace](const Run& run_work) {
    obey(options, run_work, trace ? &*trace : nullptr);
  };
  if (!options.launched) return obey_with(run);
  options.backend == Backend::host ? in_processes(options, obey_with)
                                   : in_processes_on_cuda(options, obey_with);
}

void (*act_of(Command command))(const Options&) {
  switch (command) {
    case Command::bench:
      return bench;
    case Command::plan:
      return plan;
    default:
      return obey;
  }
}

}  // namespace command

namespace command {

namespace {

/// Does what the line asks for; help and the version whatever the environment is.
int run_line(int argc, char** argv) {
  std::optional<weft::LaunchEnvironment> launched;
  std::exception_ptr misplaced;  // what is wrong with a launcher's variables
  try {
    launched = weft::launch_environment();
    if (launched && launched->world == 1) launched.reset();
  } catch (const weft::InvalidArgument&) {
    misplaced = std::current_exception();
  }
  try {
    const std::optional<Options> line = parse(argc, argv);
    if (!line) return 0;
    if (misplaced) std::rethrow_exception(misplaced);
    check_stack();
    const Options options = with_launcher(*line, launched);
    act_of(options.command)(with_all_gpus(options, [&options] { return gpus_on_cuda(options); }));
    return 0;
  } catch (const weft::InvalidArgument& rejection) {
    return end_rejectd(launched, rejection);
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
  return command::end_written(command::run_line(argc, argv));
}
