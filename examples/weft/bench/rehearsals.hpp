// Which ranks are measured for a projection, and what they measured.
#pragma once

#include <string>
#include <vector>

#include "../options/options.hpp"
#include "case.hpp"
#include "rehearsed_rank.hpp"
#include "weft/model/hunyuan/config.hpp"
#include "weft/plan.hpp"

namespace command {

/// Returns the model of a projection on the host: small, with enough heads and stages for eight ranks.
[[nodiscard]] weft::HunyuanConfig small_config();

/// The ranks to measure for the projection of all meshes, and their measurements.
class Rehearsals {
 public:
  /// Throws InvalidArgument if a mesh breaks a rule at a size. The work must outlive it.
  Rehearsals(const Options& options, const weft::planner::ModelWork& work);

  void measure();

  const std::string& device() const { return report_.device; }
  const std::vector<RehearsedRank>& ranks() const { return ranks_; }
  double seconds(std::size_t i) const { return report_.seconds[i]; }
  /// Returns the meshes to project, each with a size of image.
  const std::vector<BenchCase>& projected() const { return projected_; }

  /// Returns the seconds of a step on one rank: the better of two measurements.
  double one_rank(int px) const { return seconds_of(px, {}, 0); }

  /// Returns the seconds that a step's kernels take on the busiest rank of each stage.
  std::vector<double> stages(int px, const weft::Mesh& mesh) const;

  weft::planner::CostModel cost(int px, const weft::Mesh& mesh,
                                const weft::planner::Hardware& hardware) const;

 private:
  void check(int px, const weft::Mesh& mesh) const;
  double seconds_of(int px, const weft::Mesh& mesh, int rank) const;

  const Options& options_;
  const weft::planner::ModelWork& work_;
  std::vector<RehearsedRank> ranks_;
  std::vector<BenchCase> projected_;
  RehearsalReport report_;
};

}  // namespace command
