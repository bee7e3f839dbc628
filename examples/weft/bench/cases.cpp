#include "cases.hpp"

#include <cstdio>
#include <iterator>
#include <string>

#include "../input/image_size.hpp"
#include "../input/reuse.hpp"
#include "../parallel.hpp"
#include "../plan/choose_mesh.hpp"
#include "../plan/machine.hpp"
#include "../plan/memory.hpp"
#include "random_work.hpp"
#include "weft/policy/check.hpp"

namespace command {

namespace {

weft::Mesh bench_mesh(const Options& options, const weft::planner::ModelWork& work,
                      weft::planner::PlanRequest request) {
  if (!plans_mesh(options)) return options.mesh;
  request.exact = options.planning.exact;
  return planned_mesh(options, work, request);
}

}  // namespace

weft::planner::PlanRequest bench_request(const Options& options, const weft::DitShape& shape, int px,
                                         weft::Index ranks, weft::Index branches) {
  const weft::Index side = checked_side("--px", px, {latent_pixels, shape.patch}) / shape.patch;
  return {.gpus = static_cast<int>(ranks),
          .tokens = side * side,
          .prompts = options.images,
          .branches = branches,
          .steps = options.timed_steps,
          .warmup = options.mesh.warmup};
}

std::vector<BenchCase> bench_cases(const Options& options, const ModelSettings& settings,
                                   const weft::planner::ModelWork& work) {
  const weft::Index branches = guidance_branches(settings);
  const weft::DitShape& shape = work.shape();
  std::vector<BenchCase> sizes;
  for (const int px : options.px) {
    const weft::planner::PlanRequest request = bench_request(options, shape, px, options.world(), branches);
    const weft::Mesh mesh = bench_mesh(options, work, request);
    const weft::Demand demand{request.prompts, request.branches, work.prefix() + request.tokens,
                              request.steps};
    if (const auto fault = weft::check<Parallel>(mesh, shape, demand, options.world()))
      weft::reject(px, " px: ", to_string(*fault));
    const weft::Sampler sampler = random_sampler(unsteady_steps_of(mesh) + options.timed_steps);
    sizes.push_back({px, mesh, reuse_of(options.cache, std::ssize(sampler), shape, [&settings, &sampler] {
                       return embedded_times(settings, weft::RandomWeights{}, sampler);
                     })});
  }
  return sizes;
}

void print_memory(const Options& options, const std::vector<BenchCase>& sizes,
                  const weft::planner::ModelWork& work, weft::Index branches) {
  std::string lines;
  Options sized = options;
  for (const auto& [px, mesh, reuse] : sizes) {
    sized.mesh = mesh;
    weft::planner::PlanRequest request = bench_request(options, work.shape(), px, options.world(), branches);
    request.reuse = reuse;
    lines += weft::sentence(px, " px, ", checked_memory(sized, work, request), "\n");
  }
  if (options.prints()) std::printf("%s", lines.c_str());
}

}  // namespace command
