#include "bench.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "bench_work.hpp"
#include "cuda/run.hpp"
#include "image_size.hpp"
#include "memory.hpp"
#include "nccl/run.hpp"
#include "output_files.hpp"
#include "padded.hpp"
#include "parallel.hpp"
#include "planning.hpp"
#include "project.hpp"
#include "weft/plan.hpp"

namespace command {

namespace {

/// All calls of an operator on the same extents, in one step.
struct Row {
  std::string name;
  double calls = 0, ms = 0, flop = 0, bytes = 0;

  /// The time that the roofline allows, of the time taken.
  double of_roofline(const Roofline& roofline) const {
    const double rate = name.starts_with("linear_e4m3") ? roofline.e4m3_rate : roofline.flop_rate;
    return std::max(flop / rate, bytes / roofline.memory_rate) / (ms * 1e-3);
  }
};

std::vector<Row> rows_of(const SizeReport& size) {
  std::map<std::string, Row> by_name;
  for (const weft::Lane::Slice& slice : size.slices) {
    Row& row = by_name[slice.name];
    const double once = 1.0 / size.traced_steps;
    row.name = slice.name;
    row.calls += once;
    row.ms += once * std::chrono::duration<double, std::milli>(slice.end - slice.begin).count();
    row.flop += once * slice.flop;
    row.bytes += once * static_cast<double>(slice.bytes);
  }
  std::vector<Row> rows;
  for (const auto& [name, row] : by_name) rows.push_back(row);
  std::ranges::sort(rows, std::greater(), &Row::ms);
  return rows;
}

double median(std::vector<double> numbers) {
  std::ranges::sort(numbers);
  return numbers[numbers.size() / 2];
}

void print_operators(const SizeReport& size, const Roofline& roofline, double step) {
  std::printf("%-36s %6s %9s %8s %7s %9s %7s %9s\n", "operator", "calls", "us each", "ms", "share", "TFLOP/s",
              "GB/s", "roofline");
  double sum = 0;
  for (const Row& row : rows_of(size)) {
    sum += row.ms;
    std::printf("%-36s %6.0f %9.1f %8.3f %6.1f%% %9.1f %7.0f %8.0f%%\n", row.name.c_str(), row.calls,
                1e3 * row.ms / row.calls, row.ms, 100 * row.ms / step, row.flop / row.ms * 1e-9,
                row.bytes / row.ms * 1e-6, 100 * row.of_roofline(roofline));
  }
  std::printf("%-36s %6s %9s %8.3f %6.1f%%\n", "all, launched one by one", "", "", sum, 100 * sum / step);
}

void print(const SizeReport& size, const Roofline& roofline) {
  const double step = median(size.step_ms);
  const auto [least, most] = std::ranges::minmax(size.step_ms);
  const std::string mesh = size.mesh.ranks() > 1 ? " on " + name_of(size.mesh) : "";
  std::printf("\n%d px%s: %.2f ms a step (%.2f to %.2f), the first finished %.2f s after the start\n",
              size.px, mesh.c_str(), step, least, most, size.first_step_s);
  const auto& [first, second] = size.requests;
  std::printf(
      "a request of %zu steps: the first %.1f ms, %.1f of them beyond its steps; the second %.1f ms, %.1f\n",
      first.step_ms.size(), first.ms, first.beyond_steps_ms(), second.ms, second.beyond_steps_ms());
  if (!size.launch_ms.empty())
    std::printf("to launch a step takes the host %.3f ms, where it need not wait for room\n",
                std::ranges::min(size.launch_ms));
  if (!size.slices.empty()) print_operators(size, roofline, step);
  if (size.error) std::printf("relative L2 distance of an evaluation from float32's: %.2e\n", *size.error);
}

void print(const std::vector<TransferReport>& transfers) {
  if (transfers.empty()) return;
  std::printf("\ntransfers of all groups of an axis at once, each waited for before the next\n");
  std::printf("%s %-10s %-26s %9s %9s %7s\n", padded("mesh", 28).c_str(), "along", "transfer", "MB a rank",
              "us", "GB/s");
  for (const TransferReport& t : transfers)
    std::printf("%s %-10s %-26s %9.1f %9.1f %7.1f\n", padded(name_of(t.mesh), 28).c_str(),
                std::string(weft::name_of(t.axis)).c_str(), name_of(t.kind),
                1e-6 * static_cast<double>(t.bytes), 1e6 * t.seconds,
                static_cast<double>(t.bytes) / t.seconds * 1e-9);
}

nlohmann::json json_of(const std::vector<TransferReport>& transfers) {
  nlohmann::json out = nlohmann::json::array();
  for (const TransferReport& t : transfers)
    out.push_back({{"mesh", name_of(t.mesh)},
                   {"axis", weft::name_of(t.axis)},
                   {"ranks", t.mesh.degree(t.axis)},
                   {"transfer", name_of(t.kind)},
                   {"bytes", t.bytes},
                   {"us", 1e6 * t.seconds},
                   {"bytes_per_second", static_cast<double>(t.bytes) / t.seconds}});
  return out;
}

nlohmann::json json_of(const RequestReport& request) {
  return {{"ms", request.ms}, {"beyond_steps_ms", request.beyond_steps_ms()}, {"step_ms", request.step_ms}};
}

nlohmann::json json_of(const BenchReport& report, const Options& options) {
  nlohmann::json out = {{"device", report.device},
                        {"dtype", options.dtype_name},
                        {"flop_rate", report.roofline.flop_rate},
                        {"e4m3_rate", report.roofline.e4m3_rate},
                        {"memory_rate", report.roofline.memory_rate},
                        {"sizes", nlohmann::json::array()},
                        {"transfers", json_of(report.transfers)}};
  for (const SizeReport& size : report.sizes) {
    nlohmann::json operators = nlohmann::json::array();
    for (const Row& row : rows_of(size))
      operators.push_back({{"name", row.name},
                           {"calls", row.calls},
                           {"ms", row.ms},
                           {"flop", row.flop},
                           {"bytes", row.bytes},
                           {"of_roofline", row.of_roofline(report.roofline)}});
    out["sizes"].push_back({{"px", size.px},
                            {"mesh", name_of(size.mesh)},
                            {"ms", median(size.step_ms)},
                            {"step_ms", size.step_ms},
                            {"first_step_s", size.first_step_s},
                            {"first_request", json_of(size.requests.front())},
                            {"second_request", json_of(size.requests.back())},
                            {"launch_ms", size.launch_ms},
                            {"operators", operators}});
    if (size.error) out["sizes"].back()["error"] = *size.error;
  }
  return out;
}

}  // namespace

weft::HunyuanConfig bench_config() {
  return weft::HunyuanConfig(weft::Config(
      R"({"num_layers": 40, "num_attention_heads": 16, "attention_head_dim": 88, "hidden_size": 1408,
          "mlp_ratio": 4.3637, "patch_size": 2, "in_channels": 4, "learn_sigma": true,
          "cross_attention_dim": 1024, "cross_attention_dim_t5": 2048, "text_len": 77, "text_len_t5": 256,
          "pooled_projection_dim": 1024, "use_style_cond_and_image_meta_size": false})",
      "HunyuanDiT v1.2"));
}

weft::planner::PlanRequest bench_request(const Options& options, const weft::DitShape& shape, int px,
                                         weft::Index ranks) {
  const weft::Index side = checked_side("--px", px, {pixels_per_element, shape.patch}) / shape.patch;
  weft::planner::PlanRequest request{.gpus = static_cast<int>(ranks),
                                     .tokens = side * side,
                                     .prompts = options.images,
                                     .steps = options.timed_steps,
                                     .warmup = options.mesh.warmup};
  set_bytes(request, options.dtype);
  return request;
}

std::vector<std::vector<BenchCase>> by_mesh(const std::vector<BenchCase>& sizes) {
  std::vector<std::vector<BenchCase>> out;
  for (const BenchCase& size : sizes) {
    const std::string mesh = name_of(size.mesh);
    const auto alike = std::ranges::find_if(
        out, [&mesh](const std::vector<BenchCase>& cases) { return name_of(cases.front().mesh) == mesh; });
    alike == out.end() ? out.push_back({size}) : alike->push_back(size);
  }
  return out;
}

void append(BenchReport& report, const BenchReport& more) {
  report.sizes.insert(report.sizes.end(), more.sizes.begin(), more.sizes.end());
  report.transfers.insert(report.transfers.end(), more.transfers.begin(), more.transfers.end());
}

std::vector<BenchCase> bench_cases(const Options& options, const weft::DitShape& shape) {
  std::vector<BenchCase> sizes;
  for (const int px : options.px) {
    const weft::Mesh mesh = with_bench_mesh(options, px).mesh;
    const weft::planner::PlanRequest request = bench_request(options, shape, px, options.world());
    const weft::Demand demand{request.prompts, request.branches, request.tokens, request.steps};
    if (const auto fault = weft::check<Parallel>(mesh, shape, demand, options.world()))
      weft::reject(px, " px: ", to_string(*fault));
    sizes.push_back({px, mesh});
  }
  return sizes;
}

void tell_memory(const Options& options, const std::vector<BenchCase>& sizes, const weft::DitShape& shape) {
  std::string lines;
  Options sized = options;
  for (const auto& [px, mesh] : sizes) {
    sized.mesh = mesh;
    lines += weft::sentence(
        px, " px, ", checked_memory(sized, shape, bench_request(options, shape, px, options.world())), "\n");
  }
  if (options.speaks()) std::printf("%s", lines.c_str());
}

double RequestReport::beyond_steps_ms() const {
  return ms - std::accumulate(step_ms.begin(), step_ms.end(), 0.0);
}

void bench(const Options& options) {
  if (options.projects) return project(options);
  std::optional<weft::OutputFile> json;
  if (options.json && options.speaks()) json.emplace(output_file("--json", *options.json, ".json"));
  const std::vector<BenchCase> sizes = bench_cases(options, bench_config().shape());
  tell_memory(options, sizes, bench_config().shape());
  const BenchReport report =
      options.launched ? bench_over_nccl(options, sizes) : bench_on_cuda(options, sizes);
  if (!options.speaks()) return;
  std::printf(
      "%s, %s, a guidance step of %d image%s: %.0f TFLOP/s in a product of 8192^3, %.2f TB/s in a copy\n",
      report.device.c_str(), options.dtype_name.c_str(), options.images, options.images == 1 ? "" : "s",
      report.roofline.flop_rate * 1e-12, report.roofline.memory_rate * 1e-12);
  if (report.roofline.e4m3_rate > 0)
    std::printf("In e4m3 the product has %.0f TFLOP/s.\n", report.roofline.e4m3_rate * 1e-12);
  for (const SizeReport& size : report.sizes) print(size, report.roofline);
  print(report.transfers);
  if (json) OutputWriter().write(*json, json_of(report, options).dump(1) + "\n");
}

}  // namespace command
