#include "report.hpp"

#include <algorithm>
#include <cstdio>

#include "../output/padded.hpp"

namespace command {

namespace {

/// Returns "37.9 % the ring's transfers", or nothing if the step waits for none.
std::string lost(const weft::planner::Prediction& prediction) {
  const weft::planner::NamedBound loss = loss_of(prediction);
  if (loss.name.empty()) return {};
  return weft::planner::number("%.1f", 100 * loss.seconds / prediction.step) + " % " + std::string(loss.name);
}

nlohmann::json json_of(const weft::planner::Prediction& p) {
  const weft::Mesh& mesh = p.mesh;
  nlohmann::json bounds;
  for (const weft::planner::NamedBound& bound : sorted_bounds(p.bounds))
    bounds[std::string(bound.name)] = bound.seconds;
  nlohmann::json degrees{{"patches", mesh.patch_count()},
                         {"warmup", mesh.warmup},
                         {"copies_ring_cache", mesh.copies_ring_cache()}};
  for (const weft::AxisInfo& axis : weft::axes) degrees[std::string(axis.name)] = mesh.*axis.degree;
  return {{"name", name_of(mesh)},      {"mesh", degrees},
          {"step_seconds", p.step},     {"seconds", p.total},
          {"warmup_seconds", p.warmup}, {"memory_bytes", p.memory},
          {"sent_bytes", p.sent},       {"step_goes_into", bounds}};
}

}  // namespace

void print(const weft::planner::Plan& plan, const std::string& explanation) {
  const std::size_t shown = std::min<std::size_t>(plan.ranking.size(), 12);
  std::size_t width = 24;
  for (std::size_t i = 0; i < shown; ++i) width = std::max(width, name_of(plan.ranking[i].mesh).size());
  if (shown > 0)
    std::printf("%s %10s %9s %8s %9s %11s  %-23s  %s\n", padded("mesh", width).c_str(), "a step", "in all",
                "speed-up", "memory", "sent a step", "most goes into", "most is lost to");
  for (std::size_t i = 0; i < shown; ++i) {
    const weft::planner::Prediction& p = plan.ranking[i];
    std::printf("%s %10s %7.2f s %7.2fx %6.1f GB %8.1f MB  %-23s  %s\n",
                padded(name_of(p.mesh), width).c_str(), weft::planner::time_of(p.step).c_str(), p.total,
                plan.single.total / p.total, p.memory / 1e9, p.sent / 1e6, std::string(bound_of(p)).c_str(),
                lost(p).c_str());
  }
  if (plan.ranking.size() > shown) std::printf("and %zu slower ones\n", plan.ranking.size() - shown);
  for (std::size_t i = 0; i < std::min<std::size_t>(plan.rejected.size(), 3); ++i)
    std::printf("%s is left out: %s\n", name_of(plan.rejected[i].mesh).c_str(),
                plan.rejected[i].reason.c_str());
  if (plan.rejected.size() > 3) std::printf("and %zu more are left out\n", plan.rejected.size() - 3);
  std::printf("%s\n", explanation.c_str());
}

nlohmann::json json_of(const weft::planner::Plan& plan, const std::string& explanation) {
  nlohmann::json out = {{"single", json_of(plan.single)},
                        {"ranking", nlohmann::json::array()},
                        {"rejected", nlohmann::json::array()},
                        {"explanation", explanation}};
  for (const weft::planner::Prediction& p : plan.ranking) out["ranking"].push_back(json_of(p));
  for (const weft::planner::Rejection& r : plan.rejected)
    out["rejected"].push_back({{"name", name_of(r.mesh)}, {"reason", r.reason}});
  return out;
}

}  // namespace command
