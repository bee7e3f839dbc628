#include "choose_mesh.hpp"

#include <algorithm>
#include <cstdio>

#include "../parallel.hpp"
#include "machine.hpp"
#include "memory.hpp"
#include "weft/policy/check.hpp"

namespace command {

namespace {

weft::planner::PlanRequest request_of(const Work& work, const weft::DitShape& shape) {
  const auto tokens = [&shape](weft::Index height, weft::Index width) {
    return height / shape.patch * (width / shape.patch);
  };
  if (const auto* request = std::get_if<Request>(&work))
    return {.tokens = tokens(request->height, request->width),
            .prompts = static_cast<weft::Index>(request->prompts.size()),
            .branches = request->branches(),
            .steps = static_cast<weft::Index>(request->sampler.size()),
            .thresholds = std::ranges::any_of(request->sampler, &weft::SamplerStep::has_quantile)};
  const weft::Shape& latents = std::get<Evaluation>(work).latents.shape;
  return {.tokens = tokens(latents[2], latents[3]), .prompts = latents[0], .branches = 1, .steps = 1};
}

/// Returns whether the result equals one rank's up to rounding: no patch attends to keys of an earlier step.
bool is_exact(const weft::Mesh& mesh, const Work& work) {
  const auto* request = std::get_if<Request>(&work);
  return mesh.patch_count() == 1 || !request ||
         mesh.warmup >= static_cast<weft::Index>(request->sampler.size());
}

}  // namespace

weft::planner::PlanRequest plan_request(const Options& options, const Work& work,
                                        const weft::DitShape& shape) {
  weft::planner::PlanRequest request = request_of(work, shape);
  request.gpus = static_cast<int>(options.world());
  request.warmup = options.mesh.warmup;
  set_bytes(request, options.dtype);
  request.exact = options.planning.exact;
  return request;
}

void check_mesh(const Options& options, const ModelFolder& model) {
  const weft::Mesh& mesh = options.mesh;
  const weft::Demand most{.prompts = mesh.data, .branches = mesh.cfg, .tokens = mesh.patch_count()};
  if (const auto fault = weft::check<Parallel>(mesh, model.config().shape(), most, options.world()))
    weft::reject(weft::to_string(*fault));
}

bool plans_mesh(const Options& options) { return options.world() > 1 && !options.planning.has_degrees; }

weft::Mesh planned_mesh(const Options& options, const weft::DitShape& shape,
                        const weft::planner::PlanRequest& request) {
  const weft::planner::Hardware hardware = hardware_of(options);
  const weft::planner::Plan plan = weft::planner::plan(shape, hardware, request, engine_of(options));
  if (plan.ranking.empty())
    weft::reject("no mesh of ", request.gpus, " ranks fits; ",
                 plan.rejected.empty() ? "try other numbers of ranks, or --mesh auto"
                                       : "the first that was tried: " + plan.rejected.front().reason);
  const MemoryBudget budget = memory_budget(options);
  const auto fits = [&options, &shape, &hardware, &request, &budget](const weft::planner::Prediction& p) {
    return budget.fits({shape, hardware, request, engine_of(options), p.mesh});
  };
  const auto best = std::ranges::find_if(plan.ranking, fits);
  return (best == plan.ranking.end() ? plan.ranking.begin() : best)->mesh;
}

Options with_mesh(Options options, const ModelFolder& model, const Work& work) {
  if (!plans_mesh(options)) return options;
  const weft::DitShape shape = model.config().shape();
  options.mesh = planned_mesh(options, shape, plan_request(options, work, shape));
  check_mesh(options, model);
  if (options.prints())
    std::printf(
        "mesh: %s%s\n", name_of(options.mesh).c_str(),
        is_exact(options.mesh, work)
            ? ""
            : "; the image may differ from one rank's, and --mesh exact takes a mesh whose image does not");
  return options;
}

}  // namespace command
