// The work of a command: a request or an evaluation, from captions or from files.
#pragma once

#include <variant>

#include "../options/options.hpp"
#include "model_folder.hpp"
#include "weft/engine/request.hpp"
#include "weft/model/hunyuan/prompt.hpp"

namespace command {

using Request = weft::Request<weft::HunyuanPrompt>;
using Evaluation = weft::Evaluation<weft::HunyuanPrompt>;
using Work = std::variant<Request, Evaluation>;

/// Returns the request for the options' captions. Throws InvalidArgument if one, or a setting, is not valid.
[[nodiscard]] Request request_of_captions(const Options& options, const ModelFolder& model);

/// Returns the request with the latents and text embeddings of a file, and the settings in its metadata.
[[nodiscard]] Request request_in_file(const std::filesystem::path& path, const ModelFolder& model);

/// Returns one evaluation of the tensors of a file.
[[nodiscard]] Evaluation evaluation_in_file(const std::filesystem::path& path, const ModelFolder& model);

/// Returns the work of the options' command.
[[nodiscard]] Work work_of(const Options& options, const ModelFolder& model);

}  // namespace command
