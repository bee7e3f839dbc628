#include "bench.hpp"

#include <optional>
#include <vector>

#include "../cuda/run.hpp"
#include "../input/hunyuan_v12.hpp"
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
  const auto work = model_work(hunyuan_v12(), options.dtype);
  const std::vector<BenchCase> sizes = bench_cases(options, *work);
  print_memory(options, sizes, *work);
  const BenchReport report =
      options.launched ? bench_over_nccl(options, sizes) : bench_on_cuda(options, sizes);
  if (!options.prints()) return;
  print(report, options.dtype_name, options.images);
  if (json) OutputWriter().write(*json, json_of(report, options.dtype_name).dump(1) + "\n");
}

}  // namespace command
