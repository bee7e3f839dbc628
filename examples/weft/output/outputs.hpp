// The files that a command writes: checked before the work, written after it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../input/model_folder.hpp"
#include "../options/options.hpp"
#include "weft/core/trace.hpp"
#include "weft/io/output_file.hpp"

namespace command {

/// What a command has computed: latents or a prediction, and images. What is not to be written may be empty.
struct Results {
  weft::Tensor tensor{}, images{};
};

class Outputs {
 public:
  /// Opens the files of so many images. Throws InvalidArgument if a file cannot be written, or the result has
  /// no such form.
  Outputs(const Options& options, const ModelFolder& model, std::size_t images, bool decodes);
  /// The same for so many decoded images, of channels that PNG has only if there are three.
  Outputs(const Options& options, weft::Index images, weft::Index channels);

  /// Writes the results and, if there is one, the trace; returns the names of the files. Throws
  /// std::runtime_error if a file cannot be written, with the names of those written before.
  [[nodiscard]] std::vector<std::string> write(const Results& results, const weft::Trace* trace) const;

 private:
  void open_images(const std::string& path, std::size_t count);
  void open_trace(const Options& options);
  std::vector<const weft::OutputFile*> files() const;

  std::vector<weft::OutputFile> images_;
  std::optional<weft::OutputFile> image_tensor_, tensor_;
  std::string tensor_name_;
  std::optional<weft::OutputFile> trace_;
};

}  // namespace command
