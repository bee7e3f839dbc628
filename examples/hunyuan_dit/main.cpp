// hunyuan_dit: paints, evaluates and denoises with a model's folder. Exit code 2: refused before any work; 1:
// failed.
#include <exception>
#include <iostream>
#include <new>

#include "bench.hpp"
#include "outputs.hpp"
#include "planning.hpp"
#include "run.hpp"
#include "stopwatch.hpp"

namespace command {

void obey(const Options& asked) {
  const ModelFolder model(asked.model);
  if (!plans_mesh(asked)) check_mesh(asked, model);
  Work work = work_of(asked, model);
  const Options options = with_mesh(asked, model, work);
  const Outputs outputs(options, model);
  std::optional<weft::Trace> trace;
  if (outputs.has_trace()) trace.emplace(static_cast<int>(options.world()));

  const weft::Tensor result = run(options, model, std::move(work), trace ? &*trace : nullptr);
  Stopwatch watch;
  const auto written = outputs.write(result, trace ? &*trace : nullptr);
  watch.lap("write, " + weft::listed(written));
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

int main(int argc, char** argv) {
  try {
    if (const auto options = command::parse(argc, argv)) command::act_of(options->command)(*options);
    return 0;
  } catch (const weft::Refused& refusal) {
    std::cerr << refusal.what() << '\n';
    return 2;
  } catch (const std::bad_alloc&) {
    std::cerr << "the memory is too small for this\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
  }
  return 1;
}
