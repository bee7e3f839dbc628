#include "rules.hpp"

#include <array>

#include "weft/core/error.hpp"
#include "weft/policy/check.hpp"

namespace command {

namespace {

constexpr Commands generate(Command::generate), bench(Command::bench), plan(Command::plan),
    on_model(Command::generate, Command::forward, Command::denoise),
    on_ranks(Command::generate, Command::forward, Command::denoise, Command::bench),
    in_processes(Command::generate, Command::forward, Command::denoise, Command::bench, Command::decode,
                 Command::encode, Command::plan);

bool is_one_mesh(const Options& options) { return !options.projects; }
bool is_projected(const Options& options) { return !options.projects || options.arch == "hunyuan-v1.2"; }
bool has_plan(const Options& options) { return !options.planning.calibrate && !options.planning.kernels; }
bool has_guidance(const Options& options) { return options.sampling.guidance > 1; }
bool has_patches(const Options& options) { return options.may_plan_mesh() || options.mesh.patch_count() > 1; }
bool has_ring(const Options& options) { return options.mesh.ring > 1; }
bool has_processes(const Options& options) { return options.launched.has_value(); }
bool has_no_inputs(const Options& options) { return !options.inputs; }
bool has_planner(const Options& options) { return options.may_plan_mesh(); }

constexpr Need applies_to_one_mesh{"applies to one mesh, and --project measures ranks of many",
                                   "omit --project or "};
constexpr Need applies_to_plans{"applies to a plan, and --calibrate and --kernels measure without one",
                                "omit those or "};
constexpr Need needs_patches{weft::warmup_need, "add --pipefusion or --patches, or "};
constexpr Need needs_ring{weft::ring_cache_need, "add --ring or "};
constexpr Need needs_processes{"applies to ranks in several processes",
                               "start them by mpirun, torchrun or srun, or "};
constexpr Need needs_planner{"applies where the planner chooses the mesh",
                             "give --ranks without degrees or "};
constexpr Need is_in_inputs{"sets what the file of --inputs sets, or leaves to its default",
                            "omit --inputs or "};
constexpr Need needs_guidance{"has no effect where --guidance is 1 or below", "raise --guidance or "};

constexpr std::array rules{
    OptionRule{"--cfg", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--pipefusion", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--patches", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--warmup", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--ulysses", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--tensor", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--ring", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--ring-cache", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--data", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--ranks", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--mesh", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--timeout", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--cache", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--compare", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--attention", bench, is_one_mesh, applies_to_one_mesh},
    OptionRule{"--arch", bench, is_projected,
               Need{"names a model whose steps are measured, and --project models those of hunyuan-v1.2",
                    "omit --project or "}},

    OptionRule{"--model", plan, has_plan, applies_to_plans},
    OptionRule{"--gpus", plan, has_plan, applies_to_plans},
    OptionRule{"--px", plan, has_plan, applies_to_plans},
    OptionRule{"--tokens", plan, has_plan, applies_to_plans},
    OptionRule{"--images", plan, has_plan, applies_to_plans},
    OptionRule{"--steps", plan, has_plan, applies_to_plans},
    OptionRule{"--cache", plan, has_plan, applies_to_plans},
    OptionRule{"--exact", plan, has_plan, applies_to_plans},
    OptionRule{"--cfg", plan, has_plan, applies_to_plans},
    OptionRule{"--pipefusion", plan, has_plan, applies_to_plans},
    OptionRule{"--patches", plan, has_plan, applies_to_plans},
    OptionRule{"--warmup", plan, has_plan, applies_to_plans},
    OptionRule{"--ulysses", plan, has_plan, applies_to_plans},
    OptionRule{"--tensor", plan, has_plan, applies_to_plans},
    OptionRule{"--ring", plan, has_plan, applies_to_plans},
    OptionRule{"--ring-cache", plan, has_plan, applies_to_plans},
    OptionRule{"--data", plan, has_plan, applies_to_plans},
    OptionRule{"--svg", plan, has_plan, applies_to_plans},
    OptionRule{"--json", plan, [](const Options& options) { return !options.planning.calibrate; },
               Need{"applies to a plan or to --kernels, and --calibrate writes a file of its own"}},
    OptionRule{"--kernels", plan, [](const Options& options) { return !options.planning.calibrate; },
               Need{"cannot be combined with --calibrate", "omit --calibrate or "}},
    OptionRule{"--dtype", plan, [](const Options& options) { return !has_plan(options); },
               Need{"applies to measurements", "add --calibrate or --kernels, or "}},
    OptionRule{"--px", plan, [](const Options& options) { return !options.planning.tokens; },
               Need{"sets the size that --tokens sets already", "omit --tokens or "}},
    OptionRule{
        "--exact", plan, [](const Options& options) { return !options.planning.has_degrees; },
        Need{"applies where the planner chooses the mesh, and the degrees are given", "omit those or "}},
    OptionRule{"--svg", plan,
               [](const Options& options) { return options.planning.tokens || options.px.size() == 1; },
               Need{"draws an image of one size", "give one --px or "}},

    OptionRule{"--warmup", on_ranks, has_patches, needs_patches},
    OptionRule{"--warmup", plan, has_patches, needs_patches},
    OptionRule{"--warmup", Commands(Command::forward), [](const Options&) { return false; },
               Need{"applies to later steps, and forward takes one"}},
    OptionRule{"--ring-cache", on_ranks, has_ring, needs_ring},
    OptionRule{"--ring-cache", plan, has_ring, needs_ring},
    OptionRule{"--timeout", in_processes, has_processes, needs_processes},
    OptionRule{"--mesh", on_ranks, has_planner, needs_planner},
    OptionRule{"--hardware", on_model, has_planner, needs_planner},
    OptionRule{"--hardware", bench,
               [](const Options& options) { return options.projects || has_planner(options); },
               needs_planner},

    OptionRule{"--prompt", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--negative", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--height", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--width", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--resolution-binning", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--scheduler", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--steps", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--guidance", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--guidance-rescale", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--seed", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--noise", generate, has_no_inputs, is_in_inputs},
    OptionRule{"--negative", generate, has_guidance, needs_guidance},
    OptionRule{"--guidance-rescale", generate, has_guidance, needs_guidance},
};

}  // namespace

std::span<const OptionRule> option_rules() { return rules; }

void check_effects(const Options& options) {
  for (const OptionRule& rule : rules)
    if (rule.commands.contains(options.command) && options.has(rule.option) && !rule.has_effect(options))
      weft::reject(rule.option, " ", rule.need.reason, "; ", rule.need.remedy, "omit ", rule.option);
}

}  // namespace command
