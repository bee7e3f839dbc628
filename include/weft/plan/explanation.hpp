// A plan in words.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "weft/plan/planner.hpp"

namespace weft::planner {

struct NamedBound {
  std::string_view name;
  double seconds;
};

/// What a step's time goes into, the longest first.
inline std::array<NamedBound, 8> sorted_bounds(const Bounds& b) {
  std::array<NamedBound, 8> all{{{"matrix products", b.products},
                                 {"attention", b.attention},
                                 {"memory", b.rows},
                                 {"Ulysses' exchanges", b.ulysses},
                                 {"the ring's transfers", b.ring},
                                 {"transfers between stages", b.stages},
                                 {"idle stages", b.idle},
                                 {"launching", b.host}}};
  std::stable_sort(all.begin(), all.end(),
                   [](const NamedBound& x, const NamedBound& y) { return x.seconds > y.seconds; });
  return all;
}

/// What takes most of a step.
inline std::string_view bound_of(const Prediction& prediction) {
  return sorted_bounds(prediction.bounds).front().name;
}

/// What is lost besides computing, most first; empty if nothing is.
inline NamedBound loss_of(const Prediction& prediction) {
  for (const NamedBound& bound : sorted_bounds({.ulysses = prediction.bounds.ulysses,
                                 .ring = prediction.bounds.ring,
                                 .stages = prediction.bounds.stages,
                                 .idle = prediction.bounds.idle,
                                 .host = prediction.bounds.host}))
    if (bound.seconds > 1e-3 * prediction.step) return bound;
  return {};
}

/// `format` with one number.
inline std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// "7.8 ms", "1.39 s".
inline std::string time_of(double seconds) {
  return seconds < 1 ? number("%.1f ms", seconds * 1e3) : number("%.2f s", seconds);
}

/// Seconds of a step in which a rank waits.
constexpr double waiting(const Bounds& b) { return b.ulysses + b.ring + b.stages + b.idle + b.host; }

/// Why `other` is slower: what it spends most on that `best` does not.
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

/// What the first of a ranking takes, and what for.
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

/// Why the first of a ranking is first, in two sentences.
inline std::string explanation_of(const Plan& plan) {
  std::string text = account_of(plan);
  if (plan.ranking.empty()) return text;
  const Prediction& best = plan.ranking.front();
  const auto other = std::find_if(plan.ranking.begin(), plan.ranking.end(), [&best](const Prediction& p) {
    return std::pair(p.mesh.pipe, p.mesh.ulysses) != std::pair(best.mesh.pipe, best.mesh.ulysses) ||
           p.mesh.cfg != best.mesh.cfg;
  });
  if (other == plan.ranking.end()) return text + " There is no other way to split the work.";
  return text + " The next other way, " + name_of(other->mesh) + ", is " +
         number("%.1f", 100 * (other->total / best.total - 1)) + " % slower, " + reason_of(best, *other) +
         ".";
}

}  // namespace weft::planner
