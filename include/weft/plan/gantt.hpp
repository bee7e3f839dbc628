// Draws a schedule as a Gantt chart: a row a stage, time across, a colour a patch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "weft/plan/explanation.hpp"
#include "weft/plan/timeline.hpp"

namespace weft::inline v0_1::planner {

namespace detail {

class Gantt {
 public:
  Gantt(const Timeline& timeline, const Mesh& mesh) : timeline_(timeline), mesh_(mesh) {
    end_ = *std::max_element(timeline.step_ends.begin(), timeline.step_ends.end());
  }

  std::string svg() const {
    const int height = top + timeline_.stages * row + 70;
    std::string out = sentence("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", left + width + 20,
                               "\" height=\"", height, "\" font-family=\"sans-serif\" font-size=\"12\">\n");
    out += "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    out += text(left, 18, name_of(mesh_) + ": pale where a stage is idle, darker in the back half of a fold");
    for (int s = 0; s < timeline_.stages; ++s) {
      out += text(8, top + s * row + row / 2 + 4, "stage " + std::to_string(s));
      out += rectangle(0, end_, s, "#f4f4f4", "");
    }
    for (const TimelineSpan& span : timeline_.spans)
      out += rectangle(span.begin, span.end, span.stage, colour(span), title(span));
    for (std::size_t step = 0; step < timeline_.step_ends.size(); ++step) out += step_line(step);
    return out + legend() + "</svg>\n";
  }

 private:
  static constexpr int left = 70, width = 1200, top = 40, row = 34;

  double x(double seconds) const { return left + width * seconds / end_; }

  std::string rectangle(double begin, double end, int stage, const std::string& fill,
                        const std::string& hint) const {
    return sentence("<rect x=\"", x(begin), "\" y=\"", top + stage * row + 2, "\" width=\"",
                    x(end) - x(begin), "\" height=\"", row - 4, "\" fill=\"", fill,
                    "\" stroke=\"white\" stroke-width=\"0.5\">",
                    hint.empty() ? "" : "<title>" + hint + "</title>", "</rect>\n");
  }

  static std::string text(double at, double y, const std::string& words) {
    return sentence("<text x=\"", at, "\" y=\"", y, "\">", words, "</text>\n");
  }

  std::string patch_colour(const Unit& unit, bool back) const {
    if (unit.patches.size() == mesh_.patch_count() && mesh_.patch_count() > 1)
      return back ? "#8a8a8a" : "#b0b0b0";
    const Index hue = 40 + unit.patches.begin * 270 / mesh_.patch_count();  // no red
    return sentence("hsl(", hue, ",65%,", back ? 42 : 62, "%)");
  }

  std::string colour(const TimelineSpan& span) const {
    if (span.activity == Activity::stage_transfer) return "black";
    if (span.activity == Activity::attend_transfer) return "#d01515";
    return patch_colour(span.unit, span.blocks.begin > 0 && is_back(span));
  }

  /// Returns whether the span is in the back half of a fold: the stage also runs earlier blocks.
  bool is_back(const TimelineSpan& span) const {
    return std::any_of(timeline_.spans.begin(), timeline_.spans.end(), [&span](const TimelineSpan& other) {
      return other.stage == span.stage && other.blocks.begin < span.blocks.begin && other.blocks.size() > 0;
    });
  }

  std::string title(const TimelineSpan& span) const {
    const std::string_view doing = span.activity == Activity::compute          ? "computes"
                                   : span.activity == Activity::stage_transfer ? "waits for a stage"
                                                                               : "waits inside attention";
    return sentence("step ", span.unit.step, ", patch ", span.unit.patches.begin, ", blocks ",
                    span.blocks.begin, " to ", span.blocks.end, ": ", doing, " for ",
                    (span.end - span.begin) * 1e3, " ms");
  }

  std::string step_line(std::size_t step) const {
    const double at = x(timeline_.step_ends[step]);
    const int bottom = top + timeline_.stages * row;
    return sentence("<line x1=\"", at, "\" x2=\"", at, "\" y1=\"", top - 6, "\" y2=\"", bottom + 6,
                    "\" stroke=\"#555\" stroke-dasharray=\"3,3\"/>\n") +
           sentence("<text x=\"", at - 3, "\" y=\"", bottom + 20, "\" text-anchor=\"end\">step ", step, ": ",
                    number("%.2f", timeline_.step_ends[step] * 1e3), " ms</text>\n");
  }

  std::string legend() const {
    const int y = top + timeline_.stages * row + 44;
    std::string out;
    double at = left;
    const auto entry = [&out, &at, y](const std::string& fill, const std::string& words, double room) {
      out += sentence("<rect x=\"", at, "\" y=\"", y - 11, "\" width=\"12\" height=\"12\" fill=\"", fill,
                      "\"/>\n");
      out += text(at + 16, y, words);
      at += room;
    };
    entry("black", "waits for a stage", 130);
    entry("#d01515", "waits inside attention", 160);
    if (mesh_.patch_count() > 1) entry("#b0b0b0", "warm-up", 90);
    for (Index m = 0; m < std::min(mesh_.patch_count(), 12); ++m)
      entry(patch_colour({1, {m, m + 1}}, false), "patch " + std::to_string(m), 75);
    return out;
  }

  const Timeline& timeline_;
  const Mesh& mesh_;
  double end_;
};

}  // namespace detail

/// Draws the first three steps, or two more than the warm-up, as SVG.
inline std::string gantt_svg(const CostModel& cost) {
  const Timeline timeline = timeline_of(cost, std::max<Index>(cost.mesh.warmup + 2, 3));
  return detail::Gantt(timeline, cost.mesh).svg();
}

}  // namespace weft::inline v0_1::planner
