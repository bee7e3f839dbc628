#include "bench.hpp"

#include <optional>
#include <vector>

#include "../cuda/run.hpp"
#include "../input/archs.hpp"
#include "../nccl/run.hpp"
#include "../output/files.hpp"
#include "../plan/model_work.hpp"
#include "cases.hpp"
#include "print_report.hpp"
#include "project.hpp"

namespace command {

void bench(const Options& options) {
  if (options.projects) return project(options);
  std::optional<weft::OutputFile> json;
  if (options.json && options.prints()) json.emplace(output_file("--json", *options.json, ".json"));
  const Arch& arch = arch_named(options.arch);
  const ModelSettings settings = settings_of(arch);
  const weft::Index branches = guidance_branches(settings);
  const auto work = model_work(settings, options.dtype, arch.text_tokens);
  const std::vector<BenchCase> sizes = bench_cases(options, settings, *work);
  print_memory(options, sizes, *work, branches);
  BenchReport report =
      options.launched ? bench_over_nccl(options, arch, sizes) : bench_on_cuda(options, arch, sizes);
  if (!options.prints()) return;
  report.arch = arch.name;
  report.branches = branches;
  print(report, options.dtype_name, options.images);
  if (json) OutputWriter().write(*json, json_of(report, options.dtype_name).dump(1) + "\n");
}

}  // namespace command
