#include "groups.hpp"
#include "validators.hpp"

namespace command {

void add_device(CLI::App& app, NamedValues& names) {
  app.add_option("--backend", names.backend, "Where to compute: host (default), or cuda, a rank a GPU")
      ->type_name("WHERE")
      ->group("Device");
  app.add_option(
         "--dtype", names.dtype,
         "Numbers to compute in: fp32; on cuda also bf16 (default), fp16, and fp8, which is bf16 with "
         "linear layers in e4m3")
      ->type_name("TYPE")
      ->group("Device");
}

void add_attention(CLI::App& app, NamedValues& names) {
  app.add_option(
         "--attention", names.attention,
         "Numbers of the products of queries and keys on cuda: bf16 (default with bf16 and fp8), or int8, "
         "which is faster where tokens are many, and less exact")
      ->type_name("TYPE")
      ->group("Device");
}

void add_hardware(CLI::App& app, Options& options) {
  app.add_option("--hardware", options.planning.hardware,
                 "Hardware to plan for: a machine's name, or a file that plan --calibrate wrote")
      ->type_name("NAME")
      ->group("Mesh");
}

void add_degrees(CLI::App& app, Options& options, NamedValues& names) {
  weft::Mesh& mesh = options.mesh;
  const auto is_given = [&options](const std::string&) { options.planning.has_degrees = true; };
  const auto degree = [&app, &is_given](const char* name, int& value, const char* description) {
    app.add_option(name, value, description)
        ->type_name("N")
        ->check(between(1, most_ranks))
        ->each(is_given)
        ->capture_default_str()
        ->group("Mesh");
  };
  degree("--cfg", mesh.cfg, "Ranks that share the branches of guidance, 2 at most");
  degree("--pipefusion", mesh.pipe, "Stages of blocks that the image's patches pass through");
  app.add_option("--patches", mesh.patches,
                 "Patches of the image, at least as many as stages (default: one a stage)")
      ->type_name("N")
      ->check(between(1, 1 << 30))
      ->each(is_given)
      ->group("Mesh");
  app.add_option("--warmup", mesh.warmup, "First steps, in which every patch attends to fresh keys of all")
      ->type_name("N")
      ->check(any<int>("whole number from 0"))
      ->capture_default_str()
      ->group("Mesh");
  degree("--ulysses", mesh.ulysses, "Ranks that share the heads in attention");
  degree("--tensor", mesh.tensor,
         "Ranks that share the matrices of each block and of text encoders, and so the memory of weights");
  degree("--ring", mesh.ring, "Ranks that pass keys and values round a ring in attention");
  degree("--data", mesh.data, "Ranks that generate different images");
  app.add_option("--ring-cache", names.ring_cache,
                 "Keys that a rank of the ring keeps: rotate, its own; copy, those of all; automatic")
      ->type_name("WHAT")
      ->capture_default_str()
      ->group("Mesh");
}

void add_timeout(CLI::App& app, Options& options) {
  app.add_option("--timeout", options.timeout,
                 "Seconds without a heartbeat after which another process counts as dead and all ranks end")
      ->type_name("SECONDS")
      ->check(between(0.1, 1e5))
      ->capture_default_str()
      ->group("Processes");
}

void add_trace(CLI::App& app, Options& options) {
  app.add_option("--trace", options.trace, "A timeline of every rank for ui.perfetto.dev")
      ->type_name("F.json")
      ->group("Output");
}

void add_mesh(CLI::App& app, Options& options, NamedValues& names) {
  add_degrees(app, options, names);
  app.add_option("--ranks", options.ranks,
                 "Number of ranks (default: the product of the degrees, or the processes that a launcher has "
                 "started; with neither, one on the host, and every visible GPU on cuda)")
      ->type_name("N")
      ->check(between(1, most_ranks))
      ->group("Mesh");
  app.add_option(
         "--mesh", names.mesh,
         "How the planner chooses the degrees where none is given: auto, the fastest mesh; exact, the "
         "fastest whose image equals one rank's")
      ->type_name("HOW")
      ->capture_default_str()
      ->group("Mesh");
  add_hardware(app, options);
  app.add_option("--memory-limit", options.memory_limit,
                 "Memory that ranks may take on a device, or on the host (default: what is free)")
      ->type_name("GB")
      ->check(between(0.001, 1e5))
      ->group("Mesh");
  add_timeout(app, options);
}

}  // namespace command
