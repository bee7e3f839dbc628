#include "project.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "../input/archs.hpp"
#include "../output/files.hpp"
#include "../output/padded.hpp"
#include "../plan/model_work.hpp"
#include "cases.hpp"
#include "published.hpp"
#include "rehearsals.hpp"
#include "weft/plan/projection.hpp"

namespace command {

namespace {

/// Returns the only method of a mesh, or null if it has several.
const char* only_method(const weft::Mesh& mesh) {
  for (const char* name : {"pipe", "ulysses", "ring"})
    for (const weft::Axis axis : weft::all_axes)
      if (weft::name_of(axis) == name && mesh.degree(axis) == mesh.ranks()) return name;
  return nullptr;
}

/// Returns "370 GB/s a GPU and 8 us a message", or "24 GB/s for 4 GPUs together …" for a shared link.
std::string rates_of(const weft::planner::Tier& link) {
  return weft::planner::number("%.0f GB/s", link.rate / 1e9) +
         (link.shared ? weft::sentence(" for ", link.gpus, " GPUs together") : " a GPU") +
         weft::planner::number(" and %.0f us a message", link.latency * 1e6);
}

std::string speed_up_of(const std::optional<double>& speed_up) {
  return speed_up ? weft::planner::number("%.2fx", *speed_up) : "-";
}

/// Returns ", of stages 1 and 2": the stages with as much to compute as the rank's own.
std::string stages_of(const RehearsedRank& rank, const weft::planner::ModelWork& work) {
  if (rank.mesh.pipe == 1) return {};
  std::vector<std::string> names;
  const std::vector<int> alike = weft::planner::alike_stages(work, rank.mesh.pipe);
  for (std::size_t stage = 0; stage < alike.size(); ++stage)
    if (alike[stage] == rank.mesh.coordinate(weft::Axis::pipe, rank.rank))
      names.push_back(std::to_string(stage));
  return (names.size() == 1 ? ", of stage " : ", of stages ") + weft::listed(names);
}

nlohmann::json measured(const Rehearsals& all, const weft::planner::ModelWork& work) {
  nlohmann::json out = nlohmann::json::array();
  for (std::size_t i = 0; i < all.ranks().size(); ++i) {
    const RehearsedRank& rank = all.ranks()[i];
    const std::string name = name_of(rank.mesh);
    std::printf("measured alone: %d px, %8.2f ms a step, %s rank %d of %d%s\n", rank.px, 1e3 * all.seconds(i),
                name.c_str(), rank.rank, static_cast<int>(rank.mesh.ranks()), stages_of(rank, work).c_str());
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
              rates_of(link).c_str(), 1e3 * one);
  std::printf("%4s  %s %9s %10s %7s %10s %10s %12s %10s %11s\n", "GPUs", padded("mesh", 30).c_str(),
              "kernels", "transfers", "idle", "projected", "projected", "all kernels", "xDiT best",
              "xDiT alike");
  std::printf("%4s  %s %9s %10s %7s %10s %10s %12s %10s %11s\n", "", padded("", 30).c_str(), "ms", "ms", "ms",
              "ms a step", "speed-up", "of one rank", "on A100s", "on A100s");
  nlohmann::json rows = nlohmann::json::array();
  for (const BenchCase& projected : all.projected()) {
    if (projected.px != px) continue;
    const weft::Mesh& mesh = projected.mesh;
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
  const auto work = model_work(is_host ? small_config() : hunyuan_v12(), options.dtype);
  std::vector<std::string> machines{options.planning.hardware};
  if (machines.front().empty())
    machines =
        is_host ? std::vector<std::string>{"host"} : std::vector<std::string>{"h200-nvlink", "h200-pcie4"};
  for (const std::string& machine : machines)
    weft::planner::hardware_of(machine);  // rejected before any work
  Rehearsals all(options, *work);
  std::vector<BenchCase> sizes;
  for (const int px : options.px) sizes.push_back({.px = px});
  print_memory(options, sizes, *work);
  all.measure();
  std::printf(
      "a projection: every rank's kernels were measured alone on %s, in %s; transfers are a link model's\n",
      all.device().c_str(), options.dtype_name.c_str());
  nlohmann::json out = {{"projected", true},
                        {"device", all.device()},
                        {"dtype", options.dtype_name},
                        {"measured", measured(all, *work)},
                        {"tables", nlohmann::json::array()}};
  for (const std::string& machine : machines)
    for (const int px : options.px) out["tables"].push_back(table(all, machine, px));
  if (json) OutputWriter().write(*json, out.dump(1) + "\n");
}

}  // namespace command
