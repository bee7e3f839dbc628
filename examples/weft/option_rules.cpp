#include "option_rules.hpp"

#include <array>

#include "weft/core/error.hpp"

namespace command {

namespace {

constexpr Commands generate(Command::generate), bench(Command::bench), plan(Command::plan),
    on_model(Command::generate, Command::forward, Command::denoise),
    on_ranks(Command::generate, Command::forward, Command::denoise, Command::bench);

bool is_free(const Options& options) { return !options.projects; }
bool has_plan(const Options& options) { return !options.planning.calibrate && !options.planning.kernels; }
bool has_guidance(const Options& options) { return options.sampling.guidance > 1; }
bool has_patches(const Options& options) { return options.may_plan_mesh() || options.mesh.patch_count() > 1; }
bool has_ring(const Options& options) { return options.mesh.ring > 1; }
bool has_processes(const Options& options) { return options.launched.has_value(); }
bool has_choice(const Options& options) { return options.may_plan_mesh(); }

constexpr std::string_view of_one_mesh =
    "is of one mesh, and --project measures ranks of many; leave --project or";
constexpr std::string_view of_a_plan =
    "is of a plan, and --calibrate and --kernels measure without one; leave those or";
constexpr std::string_view of_patches =
    "needs an image in several patches, by --pipefusion or --patches; add one of them or";
constexpr std::string_view of_a_ring = "needs several ranks round a ring, by --ring; add it or";
constexpr std::string_view of_processes =
    "is of ranks in several processes, which mpirun, torchrun or srun starts; start them so or";
constexpr std::string_view of_a_choice =
    "is of ranks that no degree shares out; give --ranks without degrees or";
constexpr std::string_view of_guidance = "has no effect where --guidance is 1 or below; raise that or";

constexpr std::array rules{
    OptionRule{"--cfg", bench, is_free, of_one_mesh},
    OptionRule{"--pipefusion", bench, is_free, of_one_mesh},
    OptionRule{"--patches", bench, is_free, of_one_mesh},
    OptionRule{"--warmup", bench, is_free, of_one_mesh},
    OptionRule{"--ulysses", bench, is_free, of_one_mesh},
    OptionRule{"--ring", bench, is_free, of_one_mesh},
    OptionRule{"--ring-cache", bench, is_free, of_one_mesh},
    OptionRule{"--data", bench, is_free, of_one_mesh},
    OptionRule{"--ranks", bench, is_free, of_one_mesh},
    OptionRule{"--mesh", bench, is_free, of_one_mesh},
    OptionRule{"--timeout", bench, is_free, of_one_mesh},
    OptionRule{"--compare", bench, is_free, of_one_mesh},
    OptionRule{"--trace", bench, [](const Options&) { return false; },
               "is written by generate, forward and denoise, and not by bench;"},

    OptionRule{"--model", plan, has_plan, of_a_plan},
    OptionRule{"--gpus", plan, has_plan, of_a_plan},
    OptionRule{"--px", plan, has_plan, of_a_plan},
    OptionRule{"--tokens", plan, has_plan, of_a_plan},
    OptionRule{"--images", plan, has_plan, of_a_plan},
    OptionRule{"--steps", plan, has_plan, of_a_plan},
    OptionRule{"--exact", plan, has_plan, of_a_plan},
    OptionRule{"--cfg", plan, has_plan, of_a_plan},
    OptionRule{"--pipefusion", plan, has_plan, of_a_plan},
    OptionRule{"--patches", plan, has_plan, of_a_plan},
    OptionRule{"--warmup", plan, has_plan, of_a_plan},
    OptionRule{"--ulysses", plan, has_plan, of_a_plan},
    OptionRule{"--ring", plan, has_plan, of_a_plan},
    OptionRule{"--ring-cache", plan, has_plan, of_a_plan},
    OptionRule{"--data", plan, has_plan, of_a_plan},
    OptionRule{"--svg", plan, has_plan, of_a_plan},
    OptionRule{"--json", plan, [](const Options& options) { return !options.planning.calibrate; },
               "is of a plan or of --kernels, and --calibrate writes a file of its own;"},
    OptionRule{"--kernels", plan, [](const Options& options) { return !options.planning.calibrate; },
               "is a measurement beside --calibrate's; leave that or"},
    OptionRule{"--dtype", plan, [](const Options& options) { return !has_plan(options); },
               "is of measurements, by --calibrate or --kernels; add one of them or"},
    OptionRule{"--px", plan, [](const Options& options) { return !options.planning.tokens; },
               "is the side of images that --tokens counts already; leave that or"},
    OptionRule{"--exact", plan, [](const Options& options) { return !options.planning.has_degrees; },
               "is of meshes that are chosen, and here the degrees are given; leave those or"},
    OptionRule{"--svg", plan,
               [](const Options& options) { return options.planning.tokens || options.px.size() == 1; },
               "draws an image of one size; give one --px or"},

    OptionRule{"--warmup", on_ranks, has_patches, of_patches},
    OptionRule{"--warmup", plan, has_patches, of_patches},
    OptionRule{"--warmup", Commands(Command::forward), [](const Options&) { return false; },
               "is of later steps, and forward takes one;"},
    OptionRule{"--ring-cache", on_ranks, has_ring, of_a_ring},
    OptionRule{"--ring-cache", plan, has_ring, of_a_ring},
    OptionRule{"--timeout", on_ranks, has_processes, of_processes},
    OptionRule{"--timeout", plan, has_processes, of_processes},
    OptionRule{"--mesh", on_ranks, has_choice, of_a_choice},
    OptionRule{"--hardware", on_model, has_choice, of_a_choice},
    OptionRule{"--hardware", bench,
               [](const Options& options) { return options.projects || has_choice(options); }, of_a_choice},

    OptionRule{"--negative", generate, has_guidance, of_guidance},
    OptionRule{"--guidance-rescale", generate, has_guidance, of_guidance},
};

}  // namespace

std::span<const OptionRule> option_rules() { return rules; }

void check_effects(const Options& options) {
  for (const OptionRule& rule : rules)
    if (rule.commands.contains(options.command) && options.has(rule.option) && !rule.has_effect(options))
      weft::reject(rule.option, " ", rule.need, " leave ", rule.option, " away");
}

}  // namespace command
