#include "choose_mesh.hpp"

#include <algorithm>
#include <cstdio>

#include "../parallel.hpp"
#include "machine.hpp"
#include "memory.hpp"
#include "model_work.hpp"
#include "weft/policy/check.hpp"

namespace command {

namespace {

weft::Index tokens_of(const weft::DitShape& shape, weft::Index height, weft::Index width) {
  return height / shape.patch * (width / shape.patch);
}

template <class Prompt>
weft::planner::PlanRequest request_of(const weft::Request<Prompt>& request, const weft::DitShape& shape) {
  return {.tokens = tokens_of(shape, request.height, request.width),
          .prompts = static_cast<weft::Index>(request.prompts.size()),
          .branches = request.branches(),
          .steps = static_cast<weft::Index>(request.sampler.size()),
          .thresholds = std::ranges::any_of(request.sampler, &weft::SamplerStep::has_quantile),
          .reuse = request.reuse};
}

template <class Prompt>
weft::planner::PlanRequest request_of(const weft::Evaluation<Prompt>& evaluation,
                                      const weft::DitShape& shape) {
  const weft::Shape& latents = evaluation.latents.shape;
  return {
      .tokens = tokens_of(shape, latents[2], latents[3]), .prompts = latents[0], .branches = 1, .steps = 1};
}

/// Returns how many branches ranks along Axis::cfg can share.
template <class Prompt>
weft::Index branches_of(const weft::Request<Prompt>& request, const weft::Mesh&) {
  return request.branches();
}
template <class Prompt>
weft::Index branches_of(const weft::Evaluation<Prompt>& evaluation, const weft::Mesh& mesh) {
  return evaluation.branches(mesh.data);
}

/// Returns whether the result equals one rank's up to rounding: no patch attends to keys of an earlier step.
bool is_exact(const weft::Mesh& mesh, weft::Index steps) {
  return mesh.patch_count() == 1 || mesh.warmup >= steps;
}

}  // namespace

weft::planner::PlanRequest plan_request(const Options& options, const Work& work,
                                        const weft::DitShape& shape) {
  weft::planner::PlanRequest request =
      visit_work([&shape](const auto& asked) { return request_of(asked, shape); }, work);
  request.gpus = static_cast<int>(options.world());
  request.warmup = options.mesh.warmup;
  request.exact = options.planning.exact;
  return request;
}

void check_mesh(const Options& options, const ModelFolder& model) {
  const weft::Mesh& mesh = options.mesh;
  const weft::Demand most{.prompts = mesh.data, .branches = mesh.cfg, .tokens = mesh.patch_count()};
  if (const auto fault = weft::check<Parallel>(mesh, model.shape(), most, options.world()))
    weft::reject(weft::to_string(*fault));
}

void check_mesh(const Options& options, const ModelFolder& model, const Work& work, weft::Index prefix) {
  const weft::planner::PlanRequest request = plan_request(options, work, model.shape());
  const weft::Demand demand{
      .prompts = request.prompts,
      .branches =
          visit_work([&options](const auto& asked) { return branches_of(asked, options.mesh); }, work),
      .tokens = prefix + request.tokens,
      .steps = request.steps,
      .reuses_steps = !request.reuse.empty()};
  if (const auto fault = weft::check<Parallel>(options.mesh, model.shape(), demand, options.world()))
    weft::reject(weft::to_string(*fault));
}

bool plans_mesh(const Options& options) { return options.world() > 1 && !options.planning.has_degrees; }

weft::Mesh planned_mesh(const Options& options, const weft::planner::ModelWork& work,
                        const weft::planner::PlanRequest& request) {
  const weft::planner::Hardware hardware = hardware_of(options);
  const weft::planner::Plan plan = weft::planner::plan(work, hardware, request, engine_of(options));
  if (plan.ranking.empty())
    weft::reject("no mesh of ", request.gpus, " ranks fits; ",
                 plan.rejected.empty() ? "try other numbers of ranks, or --mesh auto"
                                       : "the first that was tried: " + plan.rejected.front().reason);
  const MemoryBudget budget = memory_budget(options);
  const auto fits = [&options, &work, &hardware, &request, &budget](const weft::planner::Prediction& p) {
    return budget.fits({&work, hardware, request, engine_of(options), p.mesh});
  };
  const auto best = std::ranges::find_if(plan.ranking, fits);
  return (best == plan.ranking.end() ? plan.ranking.begin() : best)->mesh;
}

Options with_mesh(Options options, const ModelFolder& model, const Work& work) {
  if (!plans_mesh(options)) return options;
  const auto counted = model_work(model.settings(), options.dtype, work);
  const weft::planner::PlanRequest request = plan_request(options, work, model.shape());
  options.mesh = planned_mesh(options, *counted, request);
  check_mesh(options, model);
  if (options.prints())
    std::printf(
        "mesh: %s%s\n", name_of(options.mesh).c_str(),
        is_exact(options.mesh, request.steps)
            ? ""
            : "; the image may differ from one rank's, and --mesh exact takes a mesh whose image does not");
  return options;
}

}  // namespace command
