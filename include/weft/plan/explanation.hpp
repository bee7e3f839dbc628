// Explains a plan in words.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "weft/plan/planner.hpp"

namespace weft::inline v0_1::planner {

/// A part of a step's time.
struct NamedBound {
  std::string_view name;
  double seconds;
};

/// Returns the parts of a step's time, the longest first.
inline std::array<NamedBound, 9> sorted_bounds(const Bounds& b) {
  std::array<NamedBound, 9> all{{{"matrix products", b.products},
                                 {"attention", b.attention},
                                 {"memory", b.rows},
                                 {"Ulysses' exchanges", b.ulysses},
                                 {"the ring's transfers", b.ring},
                                 {"sums over slices", b.tensor},
                                 {"transfers between stages", b.stages},
                                 {"idle stages", b.idle},
                                 {"launching", b.host}}};
  std::stable_sort(all.begin(), all.end(),
                   [](const NamedBound& x, const NamedBound& y) { return x.seconds > y.seconds; });
  return all;
}

/// Returns the name of the longest part of a step.
inline std::string_view bound_of(const Prediction& prediction) {
  return sorted_bounds(prediction.bounds).front().name;
}

/// Returns the longest part of a step that is not computing; empty if there is none.
inline NamedBound loss_of(const Prediction& prediction) {
  for (const NamedBound& bound : sorted_bounds({.ulysses = prediction.bounds.ulysses,
                                 .ring = prediction.bounds.ring,
                                 .tensor = prediction.bounds.tensor,
                                 .stages = prediction.bounds.stages,
                                 .idle = prediction.bounds.idle,
                                 .host = prediction.bounds.host}))
    if (bound.seconds > 1e-3 * prediction.step) return bound;
  return {};
}

/// Formats one number by printf's `format`.
inline std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Formats a time, such as "7.8 ms" or "1.39 s".
inline std::string time_of(double seconds) {
  return seconds < 1 ? number("%.1f ms", seconds * 1e3) : number("%.2f s", seconds);
}

/// Returns the seconds of a step in which a rank waits.
constexpr double waiting(const Bounds& b) {
  return b.ulysses + b.ring + b.tensor + b.stages + b.idle + b.host;
}

/// Explains why `other` is slower than `best`, by what it spends most additional time on.
inline std::string reason_of(const Prediction& best, const Prediction& other) {
  const double steps = (other.total - other.warmup) / other.step;
  const double waits = (waiting(other.bounds) - waiting(best.bounds)) * steps;
  const double warms_up = other.warmup - best.warmup;
  const double computes = other.total - best.total - waits - warms_up;
  if (warms_up > std::max(waits, computes)) return "since its warm-up takes longer";
  if (computes > waits) return "since its kernels are less efficient at their sizes";
  const NamedBound loss = loss_of(other);
  return "with " + number("%.1f", 100 * loss.seconds / other.step) + " % of " + std::string(loss.name);
}

/// Returns a sentence about the time of the fastest mesh, and what it is spent on.
inline std::string account_of(const Plan& plan) {
  if (plan.ranking.empty())
    return "No mesh fits: " + (plan.rejected.empty() ? "there is none" : plan.rejected.front().reason) + ".";
  const Prediction& best = plan.ranking.front();
  const NamedBound loss = loss_of(best);
  std::string text = name_of(best.mesh) + " takes " + time_of(best.step) + " a step";
  if (best.mesh.ranks() > 1)
    text += ", " + number("%.2f", plan.single.total / best.total) + " times as fast as one GPU";
  text += ": most goes into " + std::string(bound_of(best));
  return text + (loss.name.empty() ? ", and no transfer is waited for."
                                   : ", and " + std::string(loss.name) + " add " +
                                         number("%.1f", 100 * loss.seconds / best.step) + " %.");
}

/// Explains in two sentences why the fastest mesh is the fastest.
inline std::string explanation_of(const Plan& plan) {
  std::string text = account_of(plan);
  if (plan.ranking.empty()) return text;
  const Prediction& best = plan.ranking.front();
  const auto other = std::find_if(plan.ranking.begin(), plan.ranking.end(), [&best](const Prediction& p) {
    return std::pair(p.mesh.pipe, p.mesh.ulysses) != std::pair(best.mesh.pipe, best.mesh.ulysses) ||
           std::pair(p.mesh.cfg, p.mesh.tensor) != std::pair(best.mesh.cfg, best.mesh.tensor);
  });
  if (other == plan.ranking.end()) return text + " There is no other way to split the work.";
  return text + " The next other way, " + name_of(other->mesh) + ", is " +
         number("%.1f", 100 * (other->total / best.total - 1)) + " % slower, " + reason_of(best, *other) +
         ".";
}

}  // namespace weft::inline v0_1::planner
