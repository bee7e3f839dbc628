#include "plan.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "../input/archs.hpp"
#include "../input/image_size.hpp"
#include "../input/model_folder.hpp"
#include "../input/reuse.hpp"
#include "../output/files.hpp"
#include "measure.hpp"
#include "model_work.hpp"
#include "report.hpp"
#include "stage_memory.hpp"
#include "weft/pipeline/folder.hpp"
#include "weft/pipeline/sampler.hpp"
#include "weft/plan.hpp"
#include "weft/plan/sizes.hpp"

namespace command {

using weft::planner::size_of;

namespace {

/// A model's work in 16 bits, its size in pixels and its branches of guidance.
struct PlannedModel {
  std::unique_ptr<const weft::planner::ModelWork> work;
  PixelScale scale;
  weft::Index branches;
};

PlannedModel planned_model(const Options& options) {
  if (options.model.empty()) {
    const weft::HunyuanConfig settings = hunyuan_v12();
    return {model_work(settings, Dtype::bf16), {latent_pixels, settings.patch}, guidance_branches(settings)};
  }
  const ModelFolder folder(options.model);
  return {model_work(folder.settings(), Dtype::bf16), folder.pixel_scale(),
          guidance_branches(folder.settings())};
}

/// Returns the number of GPUs. Throws InvalidArgument if --gpus is not the product of the degrees.
int gpus_of(const Options& options) {
  const weft::Index product = options.mesh.ranks();
  const int asked = options.planning.gpus;
  if (!options.planning.has_degrees) return asked;
  if (options.has("--gpus") && product != asked)
    weft::reject("the degrees of the mesh multiply to ", product, ", and --gpus is ", asked,
                 "; omit --gpus, or give degrees that multiply to it");
  return static_cast<int>(product);
}

/// Returns the tokens of an image of each size. Throws InvalidArgument if they are not a whole number.
std::vector<weft::Index> tokens_of(const Options& options, const PlannedModel& model) {
  if (options.planning.tokens) return {*options.planning.tokens};
  std::vector<weft::Index> tokens;
  for (const int px : options.px) {
    const weft::Index side = checked_side("--px", px, model.scale) / model.work->shape().patch;
    tokens.push_back(side * side);
  }
  return tokens;
}

/// The memory of a stage around the transformer, on the GPU that takes most of it; or why it is not known.
struct PlannedStage {
  std::string name;
  weft::StageMemory memory{};
  std::string unknown{};

  double bytes() const { return static_cast<double>(memory.total()); }
};

/// The stages of a pipeline's folder around the transformer.
struct PlannedStages {
  PlannedStage encoders, decoder;
};

weft::StageMemory largest(const std::vector<weft::StageMemory>& ranks) {
  return *std::ranges::max_element(ranks, {}, &weft::StageMemory::total);
}

/// Returns the text encoders' memory in 16 bits, which is not known without their weights' files.
PlannedStage planned_encoders(const Options& options, const PlannedModel& model, const weft::Mesh& mesh) {
  std::vector<std::string> texts;
  if (model.branches > 1) texts.emplace_back();
  for (int image = 0; image < options.images; ++image) texts.push_back(std::to_string(image));
  try {
    return {"text encoders", largest(encoder_memory(options.model, {}, Dtype::bf16, texts, mesh))};
  } catch (const weft::InvalidArgument& reason) {
    return {"text encoders", {}, reason.what()};
  }
}

/// Returns the stages of a pipeline's folder on the GPUs of a mesh; nothing for another folder. Throws
/// InvalidArgument if one takes more than a GPU has.
std::optional<PlannedStages> planned_stages(const Options& options, const PlannedModel& model,
                                            const weft::planner::Hardware& hardware, const weft::Mesh& mesh,
                                            weft::Index px) {
  if (options.model.empty() || !weft::pipeline::PipelineFolder::is_at(options.model)) return std::nullopt;
  const weft::AutoencoderConfig decoder = weft::pipeline::PipelineFolder(options.model).autoencoder_config();
  const weft::Index side = px / decoder.scale();
  const auto gpus = static_cast<int>(mesh.ranks());
  const PlannedStages stages{
      planned_encoders(options, model, mesh),
      {"decoder", largest(decoder_memory(decoder, Backend::cuda, Dtype::bf16, side, side, gpus))}};
  const double usable = usable_memory(hardware.gpu);
  for (const PlannedStage* stage : {&stages.encoders, &stages.decoder})
    if (stage->bytes() > usable)
      weft::reject(size_of(stage->bytes()), " of memory on one of ", gpus, " GPUs would go to the ",
                   stage->name, ", and ", size_of(usable),
                   " can be used; GPUs with more memory are needed, or smaller images");
  return stages;
}

/// Prints a stage below a plan, and adds it to the plan's JSON.
void report(const PlannedStage& stage, nlohmann::json& plan) {
  if (!stage.unknown.empty()) {
    std::printf("%s: not planned, since %s\n", stage.name.c_str(), stage.unknown.c_str());
    return;
  }
  std::printf("%s: %s a GPU, while no other stage is in memory\n", stage.name.c_str(),
              size_of(stage.bytes()).c_str());
  plan["stages"][stage.name] = {{"memory_bytes", stage.bytes()}};
}

/// Prints what a program takes that keeps a weft::Pipeline, and adds it to the plan's JSON.
void report_pipeline(const PlannedStages& stages, const weft::planner::CostModel& cost,
                     nlohmann::json& plan) {
  if (!stages.encoders.unknown.empty()) return;
  const double kept = weft::planner::pipeline_memory(
      {stages.encoders.memory, weft::planner::largest_memory_use(cost), stages.decoder.memory});
  std::printf("a weft::Pipeline, on %s: %s a GPU, since transformer and decoder stay for the next request\n",
              name_of(cost.mesh).c_str(), size_of(kept).c_str());
  plan["stages"]["pipeline"] = {{"memory_bytes", kept}};
}

/// Returns the steps that leave blocks out. Throws InvalidArgument if they depend on weights, and no model is
/// given.
weft::Reuse planned_reuse(const Options& options, const weft::DitShape& shape, weft::Index tokens) {
  const auto embeddings = [&options, tokens] {
    if (options.model.empty())
      weft::reject(
          "--cache teacache reads the weights that embed timesteps, and no model is given; add --model, "
          "or use --cache steps or skip");
    const ModelFolder folder(options.model);
    const weft::SchedulerConfig scheduler = weft::scheduler_config(folder.scheduler());
    return embedded_times(folder, std::visit(
                                      [&options, &scheduler, tokens](const auto& settings) {
                                        return weft::pipeline::make_sampler(settings, scheduler,
                                                                            options.sampling.steps, tokens);
                                      },
                                      folder.settings()));
  };
  return reuse_of(options.cache, options.sampling.steps, shape, embeddings);
}

/// Returns the plan of all meshes, or of the one that is given. Throws InvalidArgument if that breaks a rule.
weft::planner::Plan plan_of(const Options& options, const weft::planner::ModelWork& work,
                            const weft::planner::Hardware& hardware,
                            const weft::planner::PlanRequest& request) {
  if (!options.planning.has_degrees) return weft::planner::plan(work, hardware, request);
  const weft::Demand demand{request.prompts, request.branches, work.prefix() + request.tokens, request.steps};
  if (const auto fault =
          weft::check<weft::planner::AllMethods>(options.mesh, work.shape(), demand, request.gpus))
    weft::reject(to_string(*fault));
  return weft::planner::plan_among({options.mesh}, work, hardware, request);
}

/// What is planned of images of one size, and of the stages around their transformer where these are known.
struct PlannedSize {
  weft::planner::PlanRequest request;
  weft::planner::Plan plan;
  std::optional<PlannedStages> stages{};
};

/// Returns the plan of images of so many tokens.
PlannedSize planned_size(const Options& options, const PlannedModel& model,
                         const weft::planner::Hardware& hardware, weft::Index tokens) {
  const weft::planner::PlanRequest request{.gpus = gpus_of(options),
                                           .tokens = tokens,
                                           .prompts = options.images,
                                           .branches = model.branches,
                                           .steps = options.sampling.steps,
                                           .warmup = options.mesh.warmup,
                                           .exact = options.planning.exact,
                                           .reuse = planned_reuse(options, model.work->shape(), tokens)};
  return {request, plan_of(options, *model.work, hardware, request)};
}

/// Returns the first mesh of a plan; where none fits, the one that is given, or replicas.
weft::Mesh first_mesh(const Options& options, const PlannedSize& size) {
  if (!size.plan.ranking.empty()) return size.plan.ranking.front().mesh;
  return options.planning.has_degrees ? options.mesh : weft::Mesh{.data = size.request.gpus};
}

}  // namespace

void plan(const Options& options) {
  const Planning& planning = options.planning;
  if (planning.calibrate) return calibrate(options);
  if (options.launched)
    weft::reject("plan runs in one process, except with --calibrate; start it without ",
                 options.launched->launcher);
  std::optional<weft::OutputFile> json, svg;
  if (options.json) json.emplace(output_file("--json", *options.json, ".json"));
  if (planning.svg) svg.emplace(output_file("--svg", *planning.svg, ".svg"));
  if (json && svg) check_distinct({&*json, &*svg});
  if (planning.hardware.empty())
    weft::reject("plan needs --hardware, such as a100-nvlink, or a file that plan --calibrate wrote");
  const weft::planner::Hardware hardware = weft::planner::hardware_of(planning.hardware);
  const PlannedModel model = planned_model(options);
  if (planning.kernels) {
    const nlohmann::json kernels = compare_kernels(options, *model.work, hardware.gpu);
    if (json) OutputWriter().write(*json, kernels.dump(1) + "\n");
    return;
  }
  std::vector<PlannedSize> sizes;
  for (const weft::Index tokens : tokens_of(options, model))
    sizes.push_back(planned_size(options, model, hardware, tokens));
  if (!planning.tokens)
    for (std::size_t i = 0; i < sizes.size(); ++i)
      sizes[i].stages =
          planned_stages(options, model, hardware, first_mesh(options, sizes[i]), options.px[i]);
  OutputWriter writer;
  nlohmann::json all = nlohmann::json::array();
  for (const PlannedSize& size : sizes) {
    const weft::planner::PlanRequest& request = size.request;
    const weft::planner::Plan& plan = size.plan;
    const auto flop_without = [&model, &request](weft::Range spared) {
      return weft::planner::flop(*model.work, request.tokens, request.prompts * request.branches, spared);
    };
    const double flop = flop_without({});
    std::printf("%s%d GPU%s, %s, %d tokens, %d steps of %.1f TFLOP (model output)\n", all.empty() ? "" : "\n",
                request.gpus, request.gpus == 1 ? "" : "s", planning.hardware.c_str(),
                static_cast<int>(request.tokens), options.sampling.steps, flop / 1e12);
    const double reused_flop = flop_without(request.reuse.blocks(model.work->shape()));
    if (options.has("--cache"))
      std::printf("%s; they have %.1f TFLOP, and \"a step\" is a full one\n",
                  description_of(request.reuse, request.steps).c_str(), reused_flop / 1e12);
    const std::string explanation = planning.has_degrees ? account_of(plan) : explanation_of(plan);
    print(plan, explanation);
    all.push_back(json_of(plan, explanation));
    if (size.stages) {
      report(size.stages->encoders, all.back());
      report(size.stages->decoder, all.back());
      if (!plan.ranking.empty())
        report_pipeline(*size.stages, {model.work.get(), hardware, request, {}, plan.ranking.front().mesh},
                        all.back());
    }
    all.back()["tokens"] = request.tokens;
    all.back()["step_flop"] = flop;
    if (options.has("--cache")) {
      all.back()["reused_steps"] = request.reuse.steps;
      all.back()["reused_step_flop"] = reused_flop;
    }
    if (!svg) continue;
    if (plan.ranking.empty()) weft::reject("no mesh fits, so there is no schedule to draw");
    writer.write(
        *svg, weft::planner::gantt_svg({model.work.get(), hardware, request, {}, plan.ranking.front().mesh}));
  }
  if (json) writer.write(*json, all.dump(1) + "\n");
}

}  // namespace command
