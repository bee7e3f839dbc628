// Groups of options: each function adds options to a subcommand, which parse into `options` or `names`.
#pragma once

#include <CLI/CLI.hpp>

#include "named_values.hpp"
#include "options.hpp"

namespace command {

/// Adds the options that a subcommand has beside those of the device and the mesh.
void add_generate(CLI::App& app, Options& options, NamedValues& names);
void add_forward(CLI::App& app, Options& options, NamedValues& names);
void add_denoise(CLI::App& app, Options& options, NamedValues& names);
void add_bench(CLI::App& app, Options& options, NamedValues& names);

/// Adds all options of `decode`.
void add_decode(CLI::App& app, Options& options);

/// Add all options of `tokenize`, and of `encode`.
void add_tokenize(CLI::App& app, Options& options);
void add_encode(CLI::App& app, Options& options);

/// Adds all options of `plan`.
void add_plan(CLI::App& app, Options& options, NamedValues& names);

/// Adds --backend and --dtype.
void add_device(CLI::App& app, NamedValues& names);

/// Adds --attention.
void add_attention(CLI::App& app, NamedValues& names);

/// Adds what ranks in several processes need.
void add_timeout(CLI::App& app, Options& options);

/// Adds --trace.
void add_trace(CLI::App& app, Options& options);

/// Adds the degrees, --ranks, how the planner chooses a mesh, and --timeout.
void add_mesh(CLI::App& app, Options& options, NamedValues& names);

/// Adds the degrees of the mesh and the settings of its policies.
void add_degrees(CLI::App& app, Options& options, NamedValues& names);

/// Adds --hardware.
void add_hardware(CLI::App& app, Options& options);

/// Adds the settings of the scheduler, the guidance and the noise.
void add_sampling(CLI::App& app, Options& options);

/// Adds --cache.
void add_cache(CLI::App& app, NamedValues& names);

/// Adds --model, which is required.
void add_model(CLI::App& app, Options& options);

/// Adds --lora.
void add_loras(CLI::App& app, NamedValues& names);

}  // namespace command
