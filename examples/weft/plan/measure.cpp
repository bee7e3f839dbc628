#include "measure.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "../cuda/run.hpp"
#include "../nccl/run.hpp"
#include "../output/files.hpp"
#include "kernel_sizes.hpp"

namespace command {

nlohmann::json compare_kernels(const Options& options, const weft::planner::ModelWork& work,
                               const weft::planner::Gpu& gpu) {
  const std::vector<KernelSize> sizes = kernel_sizes(work);
  const std::vector<double> measured = kernel_times_on_cuda(options, sizes);
  nlohmann::json out = nlohmann::json::array();
  double worst = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto& [kind, m, n, k] = sizes[i];
    const char* const name = kind == KernelSize::product ? "product" : "attention";
    const double error = sizes[i].predicted(gpu) / measured[i] - 1;
    worst = std::max(worst, std::abs(error));
    std::printf("%-9s %6d %6d %5d %9.1f us, predicted %9.1f us, %+5.1f %%\n", name, static_cast<int>(m),
                static_cast<int>(n), static_cast<int>(k), measured[i] * 1e6, sizes[i].predicted(gpu) * 1e6,
                100 * error);
    out.push_back({{"kind", name}, {"m", m}, {"n", n}, {"k", k}, {"us", measured[i] * 1e6}});
  }
  std::printf("largest error: %.1f %%\n", 100 * worst);
  return out;
}

void calibrate(const Options& options) {
  const std::string& named = options.planning.hardware;
  const weft::planner::Hardware known = weft::planner::hardware_of(named.empty() ? "h100-nvlink" : named);
  std::optional<weft::OutputFile> file;
  if (options.prints()) file.emplace(output_file("--calibrate", *options.planning.calibrate, ".json"));
  const std::string text = weft::planner::hardware_json(
      options.launched ? calibrated_over_nccl(options, known) : calibrated_on_cuda(options, known));
  if (!file) return;
  OutputWriter().write(*file, text);
  std::printf("%s", text.c_str());
}

}  // namespace command
