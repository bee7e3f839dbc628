#include "groups.hpp"
#include "validators.hpp"

namespace command {

void add_bench(CLI::App& app, Options& options, NamedValues& names) {
  app.add_option(
         "--arch", options.arch,
         "The model: hunyuan-v1.2, pixart-alpha, pixart-sigma, sd3-medium, sd3.5-medium, sd3.5-large, "
         "flux-dev or flux-schnell")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--px", options.px, "Sides of the images")
      ->type_name("PX...")
      ->check(between(16, 16384))
      ->capture_default_str();
  app.add_option("--images", options.images,
                 "Images a batch, each with two branches of guidance, and FLUX's with one")
      ->type_name("N")
      ->check(between(1, 64))
      ->capture_default_str();
  app.add_option("--steps", options.timed_steps, "Timed steps")
      ->type_name("N")
      ->check(between(1, 1000))
      ->capture_default_str();
  add_cache(app, names);
  app.add_flag("--compare", options.compares,
               "Also prints the error of an evaluation against one in fp32, which takes a while");
  app.add_flag(
      "--project", options.projects,
      "Projects steps of 2, 4 and 8 devices: kernels of every rank are measured here alone, transfers "
      "are modelled by --hardware (default: h200-nvlink and h200-pcie4)");
  app.add_option("--json", options.json, "The figures as JSON")->type_name("F.json")->group("Output");
}

}  // namespace command
