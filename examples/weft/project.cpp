#include "project.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "cuda/run.hpp"
#include "memory.hpp"
#include "output_files.hpp"
#include "padded.hpp"
#include "rehearse.hpp"
#include "weft/plan/projection.hpp"

namespace command {

namespace {

/// One that the host can compute, with as many heads and stages as eight ranks need.
weft::HunyuanConfig small_config() {
  return weft::HunyuanConfig(weft::Config(
      R"({"num_layers": 16, "num_attention_heads": 8, "attention_head_dim": 16, "hidden_size": 128,
          "mlp_ratio": 4.0, "patch_size": 2, "in_channels": 4, "learn_sigma": true,
          "cross_attention_dim": 64, "cross_attention_dim_t5": 64, "text_len": 16, "text_len_t5": 16,
          "pooled_projection_dim": 64, "use_style_cond_and_image_meta_size": false})",
      "a small HunyuanDiT"));
}

/// Ways to use 2, 4 and 8 devices.
const std::vector<weft::Mesh> meshes{{.cfg = 2},
                                     {.ulysses = 2},
                                     {.ring = 2},
                                     {.pipe = 2},
                                     {.cfg = 2, .ulysses = 2},
                                     {.cfg = 2, .ring = 2},
                                     {.cfg = 2, .pipe = 2},
                                     {.ulysses = 4},
                                     {.pipe = 4},
                                     {.cfg = 2, .pipe = 4},
                                     {.cfg = 2, .pipe = 4, .patches = 8},
                                     {.cfg = 2, .ulysses = 4},
                                     {.cfg = 2, .pipe = 2, .ulysses = 2},
                                     {.cfg = 2, .pipe = 2, .ring = 2},
                                     {.cfg = 2, .pipe = 2, .ring = 2, .ring_cache = weft::RingCache::rotate},
                                     {.ulysses = 8},
                                     {.pipe = 8}};

/// xDiT's speed-ups of HunyuanDiT on A100s with NVLink, read off its charts: of its best mesh, and of one
/// method alone.
struct Published {
  int px;
  const char* mesh;                // null: the best
  std::array<double, 3> speed_up;  // on 2, 4 and 8 GPUs
};
constexpr std::array published{
    Published{1024, nullptr, {1.57, 2.74, 3.52}}, Published{2048, nullptr, {1.62, 2.85, 5.48}},
    Published{2048, "pipe", {1.57, 1.77, 1.78}}, Published{2048, "ulysses", {1.46, 2.69, 4.40}},
    Published{2048, "ring", {1.48, 2.58, 4.10}}};

/// The one method of a mesh, or nothing.
const char* only_method(const weft::Mesh& mesh) {
  for (const char* name : {"pipe", "ulysses", "ring"})
    for (const weft::Axis axis : weft::all_axes)
      if (weft::name_of(axis) == name && mesh.degree(axis) == mesh.ranks()) return name;
  return nullptr;
}

std::optional<double> published_speed_up(int px, const char* mesh, weft::Index gpus) {
  for (const Published& line : published)
    if (line.px == px && (line.mesh && mesh ? std::string_view(line.mesh) == mesh : line.mesh == mesh))
      return line.speed_up[gpus == 2 ? 0 : gpus == 4 ? 1 : 2];
  return std::nullopt;
}

/// What is measured, and what of it projects which mesh.
class Rehearsals {
 public:
  Rehearsals(const Options& options, const weft::DitShape& shape) : options_(options), shape_(shape) {
    const weft::planner::Hardware hardware = command::hardware_of(options);
    for (const int px : options.px) {
      ranks_.push_back({px, {}, 0});
      for (weft::Mesh mesh : meshes) {
        mesh = with_planned_patches(cost(px, mesh, hardware));
        check(px, mesh);
        const std::vector<int> alike = weft::planner::alike_stages(shape, mesh.pipe);
        for (int stage = 0; stage < mesh.pipe; ++stage)
          if (alike[static_cast<std::size_t>(stage)] == stage)
            ranks_.push_back({px, mesh, weft::planner::busiest_rank(mesh, stage)});
        projected_.push_back({px, mesh});
      }
      ranks_.push_back({px, {}, 0});  // again: the device has warmed up
    }
  }

  void measure() {
    report_ = options_.backend == Backend::cuda
                  ? rehearse_on_cuda(options_, ranks_)
                  : RehearsalReport{"the host", rehearsed<weft::Host>(small_config(), options_, ranks_,
                                                                      weft::fill_on_host)};
  }

  const std::string& device() const { return report_.device; }
  const std::vector<RehearsedRank>& ranks() const { return ranks_; }
  double seconds(std::size_t i) const { return report_.seconds[i]; }
  /// Meshes by size of image.
  const std::vector<std::pair<int, weft::Mesh>>& projected() const { return projected_; }

  /// A step of one rank: the better of its two measurements.
  double one_rank(int px) const { return seconds_of(px, {}, 0); }

  /// Seconds that a step's kernels take on the busiest rank of each stage.
  std::vector<double> stages(int px, const weft::Mesh& mesh) const {
    std::vector<double> out;
    for (const int stage : weft::planner::alike_stages(shape_, mesh.pipe))
      out.push_back(seconds_of(px, mesh, weft::planner::busiest_rank(mesh, stage)));
    return out;
  }

  weft::planner::CostModel cost(int px, const weft::Mesh& mesh,
                                const weft::planner::Hardware& hardware) const {
    weft::planner::PlanRequest request = bench_request(options_, shape_, px, mesh.ranks());
    request.steps = options_.sampling.steps;  // of an image, which patches are chosen for
    return {shape_, hardware, request, engine_of(options_), mesh};
  }

 private:
  void check(int px, const weft::Mesh& mesh) const {
    const weft::planner::PlanRequest request = bench_request(options_, shape_, px, mesh.ranks());
    const weft::Demand demand{request.prompts, request.branches, request.tokens, request.steps};
    if (const auto fault = weft::check<Parallel>(mesh, shape_, demand, mesh.ranks()))
      weft::reject(px, " px: ", to_string(*fault));
  }

  double seconds_of(int px, const weft::Mesh& mesh, int rank) const {
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < ranks_.size(); ++i)
      if (ranks_[i].px == px && name_of(ranks_[i].mesh) == name_of(mesh) && ranks_[i].rank == rank)
        best = std::min(best, report_.seconds[i]);
    return best;
  }

  const Options& options_;
  weft::DitShape shape_;
  std::vector<RehearsedRank> ranks_;
  std::vector<std::pair<int, weft::Mesh>> projected_;
  RehearsalReport report_;
};

/// "370 GB/s and 8 us a message"; of what is shared, by how many.
std::string words_of(const weft::planner::Tier& link) {
  return weft::planner::number("%.0f GB/s", link.rate / 1e9) +
         (link.shared ? weft::sentence(" for ", link.gpus, " GPUs together") : " a GPU") +
         weft::planner::number(" and %.0f us a message", link.latency * 1e6);
}

std::string speed_up_of(const std::optional<double>& speed_up) {
  return speed_up ? weft::planner::number("%.2fx", *speed_up) : "-";
}

/// ", of stages 1 and 2": those that have as much to compute as the rank's own.
std::string stages_of(const RehearsedRank& rank, const weft::DitShape& shape) {
  if (rank.mesh.pipe == 1) return {};
  std::vector<std::string> names;
  const std::vector<int> alike = weft::planner::alike_stages(shape, rank.mesh.pipe);
  for (std::size_t stage = 0; stage < alike.size(); ++stage)
    if (alike[stage] == rank.mesh.coordinate(weft::Axis::pipe, rank.rank))
      names.push_back(std::to_string(stage));
  return (names.size() == 1 ? ", of stage " : ", of stages ") + weft::listed(names);
}

nlohmann::json measured(const Rehearsals& all, const weft::DitShape& shape) {
  nlohmann::json out = nlohmann::json::array();
  for (std::size_t i = 0; i < all.ranks().size(); ++i) {
    const RehearsedRank& rank = all.ranks()[i];
    const std::string name = name_of(rank.mesh);
    std::printf("measured alone: %d px, %8.2f ms a step, %s rank %d of %d%s\n", rank.px, 1e3 * all.seconds(i),
                name.c_str(), rank.rank, static_cast<int>(rank.mesh.ranks()), stages_of(rank, shape).c_str());
    out.push_back({{"px", rank.px},
                   {"mesh", name},
                   {"rank", rank.rank},
                   {"ranks", rank.mesh.ranks()},
                   {"ms", 1e3 * all.seconds(i)}});
  }
  return out;
}

nlohmann::json table(const Rehearsals& all, const std::string& machine, int px) {
  const weft::planner::Hardware hardware = weft::planner::hardware_of(machine);
  const weft::planner::Tier& link = hardware.tiers.front();
  const double one = all.one_rank(px);
  std::printf("\nprojected, %d px, links of %s (%s); one rank measured %.2f ms\n", px, machine.c_str(),
              words_of(link).c_str(), 1e3 * one);
  std::printf("%4s  %s %9s %10s %7s %10s %10s %12s %10s %11s\n", "GPUs", padded("mesh", 30).c_str(),
              "kernels", "transfers", "idle", "projected", "projected", "all kernels", "xDiT best",
              "xDiT alike");
  std::printf("%4s  %s %9s %10s %7s %10s %10s %12s %10s %11s\n", "", padded("", 30).c_str(), "ms", "ms", "ms",
              "ms a step", "speed-up", "of one rank", "on A100s", "on A100s");
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& [size, mesh] : all.projected()) {
    if (size != px) continue;
    const weft::planner::Projection p =
        weft::planner::project(all.cost(px, mesh, hardware), all.stages(px, mesh));
    const auto best = published_speed_up(px, nullptr, mesh.ranks());
    const char* const method = only_method(mesh);
    const auto alike = method ? published_speed_up(px, method, mesh.ranks()) : std::nullopt;
    std::printf("%4d  %s %9.2f %10.2f %7.2f %10.2f %9.2fx %11.2fx %10s %11s\n",
                static_cast<int>(mesh.ranks()), padded(name_of(mesh), 30).c_str(), 1e3 * p.kernels,
                1e3 * p.transfers, 1e3 * p.idle, 1e3 * p.step, one / p.step, p.all / one,
                speed_up_of(best).c_str(), speed_up_of(alike).c_str());
    rows.push_back({{"gpus", mesh.ranks()},
                    {"mesh", name_of(mesh)},
                    {"kernel_ms", 1e3 * p.kernels},
                    {"transfer_ms", 1e3 * p.transfers},
                    {"idle_ms", 1e3 * p.idle},
                    {"projected_ms", 1e3 * p.step},
                    {"projected_speed_up", one / p.step},
                    {"all_kernels_of_one_rank", p.all / one},
                    {"sent_bytes", p.sent}});
    if (best) rows.back()["xdit_a100_best"] = *best;
    if (alike) rows.back()["xdit_a100_alike"] = *alike;
  }
  return {{"projected", true},
          {"px", px},
          {"hardware", machine},
          {"bytes_per_second", link.rate},
          {"gpus_that_share", link.shared ? link.gpus : 1},
          {"latency", link.latency},
          {"one_rank_ms", 1e3 * one},
          {"rows", rows}};
}

}  // namespace

void project(const Options& options) {
  std::optional<weft::OutputFile> json;
  if (options.json) json.emplace(output_file("--json", *options.json, ".json"));
  const bool is_host = options.backend == Backend::host;
  const weft::DitShape shape = (is_host ? small_config() : bench_config()).shape();
  std::vector<std::string> machines{options.planning.hardware};
  if (machines.front().empty())
    machines =
        is_host ? std::vector<std::string>{"host"} : std::vector<std::string>{"h200-nvlink", "h200-pcie4"};
  for (const std::string& machine : machines)
    weft::planner::hardware_of(machine);  // rejected before any work
  Rehearsals all(options, shape);
  std::vector<BenchCase> sizes;
  for (const int px : options.px) sizes.push_back({.px = px});
  tell_memory(options, sizes, shape);
  all.measure();
  std::printf(
      "a projection: every rank's kernels were measured alone on %s, in %s; transfers are a link model's\n",
      all.device().c_str(), options.dtype_name.c_str());
  nlohmann::json out = {{"projected", true},
                        {"device", all.device()},
                        {"dtype", options.dtype_name},
                        {"measured", measured(all, shape)},
                        {"tables", nlohmann::json::array()}};
  for (const std::string& machine : machines)
    for (const int px : options.px) out["tables"].push_back(table(all, machine, px));
  if (json) OutputWriter().write(*json, out.dump(1) + "\n");
}

}  // namespace command
