#include "rehearsals.hpp"

#include <algorithm>
#include <limits>

#include "../cuda/run.hpp"
#include "../parallel.hpp"
#include "../plan/machine.hpp"
#include "cases.hpp"
#include "rehearse.hpp"
#include "weft/plan/projection.hpp"
#include "weft/policy/check.hpp"

namespace command {

namespace {

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

}  // namespace

weft::HunyuanConfig small_config() {
  return weft::HunyuanConfig(weft::Config(
      R"({"num_layers": 16, "num_attention_heads": 8, "attention_head_dim": 16, "hidden_size": 128,
          "mlp_ratio": 4.0, "patch_size": 2, "in_channels": 4, "learn_sigma": true,
          "cross_attention_dim": 64, "cross_attention_dim_t5": 64, "text_len": 16, "text_len_t5": 16,
          "pooled_projection_dim": 64, "use_style_cond_and_image_meta_size": false})",
      "a small HunyuanDiT"));
}

Rehearsals::Rehearsals(const Options& options, const weft::planner::ModelWork& work)
    : options_(options), work_(work) {
  const weft::planner::Hardware hardware = command::hardware_of(options);
  for (const int px : options.px) {
    ranks_.push_back({px, {}, 0});
    for (weft::Mesh mesh : meshes) {
      mesh = with_planned_patches(cost(px, mesh, hardware));
      check(px, mesh);
      const std::vector<int> alike = weft::planner::alike_stages(work, mesh.pipe);
      for (int stage = 0; stage < mesh.pipe; ++stage)
        if (alike[static_cast<std::size_t>(stage)] == stage)
          ranks_.push_back({px, mesh, weft::planner::busiest_rank(mesh, stage)});
      projected_.push_back({px, mesh});
    }
    ranks_.push_back({px, {}, 0});  // again: the device has warmed up
  }
}

void Rehearsals::measure() {
  if (options_.backend == Backend::cuda)
    report_ = rehearse_on_cuda(options_, ranks_);
  else
    report_ = {"the host", rehearsed<weft::Host>(small_config(), options_, ranks_, weft::fill_on_host)};
}

std::vector<double> Rehearsals::stages(int px, const weft::Mesh& mesh) const {
  std::vector<double> out;
  for (const int stage : weft::planner::alike_stages(work_, mesh.pipe))
    out.push_back(seconds_of(px, mesh, weft::planner::busiest_rank(mesh, stage)));
  return out;
}

weft::planner::CostModel Rehearsals::cost(int px, const weft::Mesh& mesh,
                                          const weft::planner::Hardware& hardware) const {
  weft::planner::PlanRequest request = bench_request(options_, work_.shape(), px, mesh.ranks());
  request.steps = options_.sampling.steps;  // patches are chosen for a whole image
  return {&work_, hardware, request, engine_of(options_), mesh};
}

void Rehearsals::check(int px, const weft::Mesh& mesh) const {
  const weft::planner::PlanRequest request = bench_request(options_, work_.shape(), px, mesh.ranks());
  const weft::Demand demand{request.prompts, request.branches, work_.prefix() + request.tokens,
                            request.steps};
  if (const auto fault = weft::check<Parallel>(mesh, work_.shape(), demand, mesh.ranks()))
    weft::reject(px, " px: ", to_string(*fault));
}

double Rehearsals::seconds_of(int px, const weft::Mesh& mesh, int rank) const {
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < ranks_.size(); ++i)
    if (ranks_[i].px == px && name_of(ranks_[i].mesh) == name_of(mesh) && ranks_[i].rank == rank)
      best = std::min(best, report_.seconds[i]);
  return best;
}

}  // namespace command
