// The files that a command writes: rejected before the work if they cannot be written, and made after it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model_folder.hpp"
#include "options.hpp"
#include "weft/core/trace.hpp"
#include "weft/io/output_file.hpp"

namespace command {

class Outputs {
 public:
  Outputs(const Options& options, const ModelFolder& model);

  /// Writes the result and, if there is one, the trace; returns what was written. If that fails, the sentence
  /// says what had been written before.
  std::vector<std::string> write(const weft::Tensor& result, const weft::Trace* trace) const;

 private:
  void open_images(const std::string& path, std::size_t count);
  std::vector<const weft::OutputFile*> files() const;

  std::vector<weft::OutputFile> images_;
  std::optional<weft::OutputFile> tensor_;
  std::string tensor_name_;
  std::optional<weft::OutputFile> trace_;
};

}  // namespace command
