#include "groups.hpp"
#include "validators.hpp"

namespace command {

void add_plan(CLI::App& app, Options& options, NamedValues& names) {
  Planning& planning = options.planning;
  app.add_option("--model", options.model, "The model's folder (default: HunyuanDiT v1.2)")->type_name("DIR");
  app.add_option("--gpus", planning.gpus, "Number of GPUs")
      ->type_name("N")
      ->check(between(1, 4096))
      ->capture_default_str();
  app.add_option("--px", options.px, "Sides of the images")->type_name("PX...")->check(between(16, 16384));
  app.add_option("--tokens", planning.tokens, "Tokens instead of a size, such as a video's")
      ->type_name("N")
      ->check(between(1, 1 << 24));
  app.add_option("--images", options.images, "Images a batch")
      ->type_name("N")
      ->check(between(1, 1024))
      ->capture_default_str();
  app.add_option("--steps", options.sampling.steps, "Denoising steps")
      ->type_name("N")
      ->check(between(1, 1000))
      ->capture_default_str();
  add_cache(app, names);
  app.add_flag("--exact", planning.exact, "Only methods whose output equals one rank's");
  app.add_option(
         "--calibrate", planning.calibrate,
         "Measures the GPUs here and writes a description of them: their links by copies and by stores of "
         "kernels, or by NCCL where a launcher has started processes; what is not measured is "
         "--hardware's (default: h100-nvlink)")
      ->type_name("F.json");
  app.add_flag("--kernels", planning.kernels,
               "Times kernels of every shard's size here, beside their predictions");
  app.add_option("--dtype", names.dtype, "Numbers to measure in: bf16 (default), fp16 or fp32")
      ->type_name("TYPE");
  add_hardware(app, options);
  add_degrees(app, options, names);
  add_timeout(app, options);
  app.add_option("--json", options.json, "The ranking as JSON")->type_name("F.json")->group("Output");
  app.add_option("--svg", planning.svg,
                 "The schedule of the mesh that is given, or of the fastest, as a chart")
      ->type_name("F.svg")
      ->group("Output");
}

}  // namespace command
