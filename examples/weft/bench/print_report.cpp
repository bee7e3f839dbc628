#include "print_report.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iterator>
#include <map>
#include <string>

#include "../input/reuse.hpp"
#include "../output/padded.hpp"

namespace command {

namespace {

/// The calls of an operator on the same extents in one step.
struct Row {
  std::string name;
  double calls = 0, ms = 0, flop = 0, bytes = 0;

  /// Returns the fraction of the roofline that the calls reached.
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
  const double step = size.typical_step_ms();
  const auto [least, most] = std::ranges::minmax(size.step_ms);
  const std::string mesh = size.mesh.ranks() > 1 ? " on " + name_of(size.mesh) : "";
  std::printf("\n%d px%s: %.2f ms a step (%.2f to %.2f), the first finished %.2f s after the start\n",
              size.px, mesh.c_str(), step, least, most, size.first_step_s);
  const auto& [first, second] = size.requests;
  if (!size.reuse.empty()) std::printf("%s\n", description_of(size.reuse, std::ssize(first.step_ms)).c_str());
  std::printf(
      "a request of %zu steps: the first %.1f ms, %.1f of them beyond its steps; the second %.1f ms, %.1f\n",
      first.step_ms.size(), first.ms, first.beyond_steps_ms(), second.ms, second.beyond_steps_ms());
  if (!size.launch_ms.empty())
    std::printf("launching a step takes the host %.3f ms, where its launch queue is not full\n",
                std::ranges::min(size.launch_ms));
  if (!size.slices.empty()) print_operators(size, roofline, step);
  if (const auto& [inputs, saturated] = size.saturation; inputs > 0)
    std::printf("%lld of %lld inputs of FP8 layers are at ±448, where e4m3 ends\n",
                static_cast<long long>(saturated), static_cast<long long>(inputs));
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

}  // namespace

void print(const BenchReport& report, const std::string& dtype, int images) {
  std::printf(
      "%s on %s, %s, a %sstep of %d image%s: %.0f TFLOP/s in a product of 8192^3, %.2f TB/s in a copy\n",
      report.arch.c_str(), report.device.c_str(), dtype.c_str(), report.branches > 1 ? "guidance " : "",
      images, images == 1 ? "" : "s", report.roofline.flop_rate * 1e-12, report.roofline.memory_rate * 1e-12);
  if (report.roofline.e4m3_rate > 0)
    std::printf("In e4m3 the product has %.0f TFLOP/s.\n", report.roofline.e4m3_rate * 1e-12);
  for (const SizeReport& size : report.sizes) print(size, report.roofline);
  print(report.transfers);
}

nlohmann::json json_of(const BenchReport& report, const std::string& dtype) {
  nlohmann::json out = {{"arch", report.arch},
                        {"branches", report.branches},
                        {"device", report.device},
                        {"dtype", dtype},
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
                            {"ms", size.typical_step_ms()},
                            {"step_ms", size.step_ms},
                            {"first_step_s", size.first_step_s},
                            {"first_request", json_of(size.requests.front())},
                            {"second_request", json_of(size.requests.back())},
                            {"launch_ms", size.launch_ms},
                            {"fp8_inputs", size.saturation.inputs},
                            {"fp8_saturated", size.saturation.saturated},
                            {"operators", operators}});
    if (size.error) out["sizes"].back()["error"] = *size.error;
  }
  return out;
}

}  // namespace command
