// The command on a golden's inputs.
#pragma once

#include "command.hpp"

/// Runs `forward` or `denoise` on a golden, with its model or another, and returns the error of what it
/// writes.
inline double error_of(const std::string& command, const std::string& name, const std::string& file,
                       const char* tensor, const Arguments& mesh = {},
                       const std::filesystem::path& model = {}) {
  const TemporaryFolder folder;
  const auto golden = goldens / name;
  const Outcome outcome =
      run(Arguments{command, "--model", model.empty() ? golden / "model" : model, "--inputs",
                    golden / (file + "_inputs.safetensors"), "--out", folder / "out.safetensors"} +
          mesh);
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK(folder.count() == 1);
  return relative_error(tensor_in(folder / "out.safetensors", tensor),
                        tensor_in(golden / (file + "_expected.safetensors"), tensor));
}
