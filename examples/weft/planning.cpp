#include "planning.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench.hpp"
#include "bench_work.hpp"
#include "cuda/run.hpp"
#include "image_size.hpp"
#include "kernel_times.hpp"
#include "memory.hpp"
#include "nccl/run.hpp"
#include "output_files.hpp"
#include "padded.hpp"
#include "run.hpp"

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

/// Whether the mesh gives one rank's result up to rounding: no patch reads keys of an earlier step.
bool is_exact(const weft::Mesh& mesh, const Work& work) {
  const auto* request = std::get_if<Request>(&work);
  return mesh.patch_count() == 1 || !request ||
         mesh.warmup >= static_cast<weft::Index>(request->sampler.size());
}

/// "37.9 % the ring's transfers"; empty if nothing is waited for.
std::string lost(const weft::planner::Prediction& prediction) {
  const weft::planner::NamedBound loss = loss_of(prediction);
  if (loss.name.empty()) return {};
  return weft::planner::number("%.1f", 100 * loss.seconds / prediction.step) + " % " + std::string(loss.name);
}

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

nlohmann::json json_of(const weft::planner::Prediction& p) {
  const weft::Mesh& mesh = p.mesh;
  nlohmann::json bounds;
  for (const weft::planner::NamedBound& bound : sorted_bounds(p.bounds))
    bounds[std::string(bound.name)] = bound.seconds;
  return {{"name", name_of(mesh)},
          {"mesh",
           {{"data", mesh.data},
            {"cfg", mesh.cfg},
            {"pipe", mesh.pipe},
            {"ulysses", mesh.ulysses},
            {"ring", mesh.ring},
            {"patches", mesh.patch_count()},
            {"warmup", mesh.warmup},
            {"copies_ring_cache", mesh.copies_ring_cache()}}},
          {"step_seconds", p.step},
          {"seconds", p.total},
          {"warmup_seconds", p.warmup},
          {"memory_bytes", p.memory},
          {"sent_bytes", p.sent},
          {"step_goes_into", bounds}};
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

/// Measures, prints and returns as JSON the kernels of kernel_sizes().
nlohmann::json compare_kernels(const Options& options, const weft::planner::Gpu& gpu) {
  const std::vector<KernelSize> sizes = kernel_sizes();
  const std::vector<double> measured = kernel_times_on_cuda(options, sizes);
  nlohmann::json out = nlohmann::json::array();
  double worst = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto& [kind, m, n, k] = sizes[i];
    const char* const name = kind == KernelSize::product ? "product" : "attention";
    const double error = sizes[i].predicted(gpu) / measured[i] - 1;
    worst = std::max(worst, std::abs(error));
    std::printf("%-9s %6d %6d %5d %9.1f us, predicted %9.1f us, %+5.1f %%\n", name, static_cast<int>(m),
                static_cast<int>(n), static_cast<int>(k), measured[i] * 1e6, sizes[i].predicted(gpu) * 1e6,
                100 * error);
    out.push_back({{"kind", name}, {"m", m}, {"n", n}, {"k", k}, {"us", measured[i] * 1e6}});
  }
  std::printf("largest error: %.1f %%\n", 100 * worst);
  return out;
}

/// Measures the hardware, prints and writes what it is. What cannot be measured here is that of --hardware,
/// or an H100's machine.
void calibrate(const Options& options) {
  const std::string& named = options.planning.hardware;
  const weft::planner::Hardware known = weft::planner::hardware_of(named.empty() ? "h100-nvlink" : named);
  std::optional<weft::OutputFile> file;
  if (options.speaks()) file.emplace(output_file("--calibrate", *options.planning.calibrate, ".json"));
  const std::string text = weft::planner::hardware_json(
      options.launched ? calibrated_over_nccl(options, known) : calibrated_on_cuda(options, known));
  if (!file) return;
  OutputWriter().write(*file, text);
  std::printf("%s", text.c_str());
}

/// What a plan is about.
struct PlannedModel {
  weft::DitShape shape;
  PixelScale scale;
};

PlannedModel planned_model(const Options& options) {
  if (options.model.empty()) {
    const weft::DitShape shape = bench_config().shape();
    return {shape, {pixels_per_element, shape.patch}};
  }
  const ModelFolder folder(options.model);
  return {folder.config().shape(), folder.pixel_scale()};
}

/// How many GPUs are planned for; rejected if the degrees that are given multiply to another number.
int gpus_of(const Options& options) {
  const weft::Index product = options.mesh.ranks();
  const int asked = options.planning.gpus;
  if (!options.planning.has_degrees) return asked;
  if (options.has("--gpus") && product != asked)
    weft::reject("the degrees of the mesh multiply to ", product, ", and --gpus is ", asked,
                 "; leave --gpus away, or give degrees that multiply to it");
  return static_cast<int>(product);
}

/// All meshes, or the one that is given; rejected if that breaks a rule.
weft::planner::Plan plan_of(const Options& options, const weft::DitShape& shape,
                            const weft::planner::Hardware& hardware,
                            const weft::planner::PlanRequest& request) {
  if (!options.planning.has_degrees) return weft::planner::plan(shape, hardware, request);
  const weft::Demand demand{request.prompts, request.branches, request.tokens, request.steps};
  if (const auto fault = weft::check<weft::planner::AllMethods>(options.mesh, shape, demand, request.gpus))
    weft::reject(to_string(*fault));
  return weft::planner::plan_among({options.mesh}, shape, hardware, request);
}

/// The fastest mesh for the request that fits where it is to run, or if none does, the fastest.
weft::Mesh planned_mesh(const Options& options, const weft::DitShape& shape,
                        const weft::planner::PlanRequest& request) {
  const weft::planner::Hardware hardware = hardware_of(options);
  const weft::planner::Plan plan = weft::planner::plan(shape, hardware, request, engine_of(options));
  if (plan.ranking.empty())
    weft::reject("no mesh of ", request.gpus, " ranks fits; ",
                 plan.rejected.empty() ? "try other numbers of ranks, or --mesh auto"
                                       : "the first that was tried: " + plan.rejected.front().reason);
  const Room room = room_of(options);
  const auto fits = [&options, &shape, &hardware, &request, &room](const weft::planner::Prediction& p) {
    return room.fits({shape, hardware, request, engine_of(options), p.mesh});
  };
  const auto best = std::ranges::find_if(plan.ranking, fits);
  return (best == plan.ranking.end() ? plan.ranking.begin() : best)->mesh;
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

bool plans_mesh(const Options& options) { return options.world() > 1 && !options.planning.has_degrees; }

Options with_mesh(Options options, const ModelFolder& model, const Work& work) {
  if (!plans_mesh(options)) return options;
  const weft::DitShape shape = model.config().shape();
  options.mesh = planned_mesh(options, shape, plan_request(options, work, shape));
  check_mesh(options, model);
  if (options.speaks())
    std::printf(
        "mesh: %s%s\n", name_of(options.mesh).c_str(),
        is_exact(options.mesh, work)
            ? ""
            : "; the image may differ from one rank's, and --mesh exact takes a mesh whose image does not");
  return options;
}

Options with_bench_mesh(Options options, int px) {
  if (!plans_mesh(options)) return options;
  const weft::DitShape shape = bench_config().shape();
  weft::planner::PlanRequest request = bench_request(options, shape, px, options.world());
  request.exact = options.planning.exact;
  options.mesh = planned_mesh(options, shape, request);
  return options;
}

void plan(const Options& options) {
  const Planning& planning = options.planning;
  if (planning.calibrate) return calibrate(options);
  if (options.launched)
    weft::reject("plan runs in one process, unless it is asked to --calibrate; start it without ",
                 options.launched->launcher);
  std::optional<weft::OutputFile> json, svg;
  if (options.json) json.emplace(output_file("--json", *options.json, ".json"));
  if (planning.svg) svg.emplace(output_file("--svg", *planning.svg, ".svg"));
  if (json && svg) check_distinct({&*json, &*svg});
  if (planning.hardware.empty())
    weft::reject("plan needs --hardware, such as a100-nvlink, or a file that plan --calibrate wrote");
  const weft::planner::Hardware hardware = weft::planner::hardware_of(planning.hardware);
  if (planning.kernels) {
    const nlohmann::json kernels = compare_kernels(options, hardware.gpu);
    if (json) OutputWriter().write(*json, kernels.dump(1) + "\n");
    return;
  }
  const auto [shape, scale] = planned_model(options);
  const int gpus = gpus_of(options);

  const std::vector<int> sides = planning.tokens ? std::vector<int>{0} : options.px;
  std::vector<weft::Index> tokens;  // of every size, which are rejected before anything is printed
  for (const int px : sides) {
    const weft::Index side = planning.tokens ? 0 : checked_side("--px", px, scale) / shape.patch;
    tokens.push_back(planning.tokens ? *planning.tokens : side * side);
  }
  OutputWriter writer;
  nlohmann::json all = nlohmann::json::array();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const weft::planner::PlanRequest request{.gpus = gpus,
                                             .tokens = tokens[i],
                                             .prompts = options.images,
                                             .steps = options.sampling.steps,
                                             .warmup = options.mesh.warmup,
                                             .exact = planning.exact};
    const weft::planner::Plan plan = plan_of(options, shape, hardware, request);
    std::printf("%s%d GPU%s, %s, %d tokens, %d steps (model output)\n", i == 0 ? "" : "\n", gpus,
                gpus == 1 ? "" : "s", planning.hardware.c_str(), static_cast<int>(request.tokens),
                options.sampling.steps);
    const std::string explanation = planning.has_degrees ? account_of(plan) : explanation_of(plan);
    print(plan, explanation);
    all.push_back(json_of(plan, explanation));
    all.back()["tokens"] = request.tokens;
    if (!svg) continue;
    if (plan.ranking.empty()) weft::reject("no mesh fits, so there is no schedule to draw");
    writer.write(*svg, weft::planner::gantt_svg({shape, hardware, request, {}, plan.ranking.front().mesh}));
  }
  if (json) writer.write(*json, all.dump(1) + "\n");
}

}  // namespace command
