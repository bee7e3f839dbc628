// What is to be computed, read from captions or from files.
#pragma once

#include <variant>

#include "model_folder.hpp"
#include "options.hpp"
#include "weft/engine/request.hpp"
#include "weft/model/hunyuan/prompt.hpp"

namespace command {

using Request = weft::Request<weft::HunyuanPrompt>;
using Evaluation = weft::Evaluation<weft::HunyuanPrompt>;
using Work = std::variant<Request, Evaluation>;

/// Images from captions.
Request request_of_captions(const Options& options, const ModelFolder& model);

/// The loop from the noise and the text states of a file, with the settings in its metadata.
Request request_in_file(const std::filesystem::path& path, const ModelFolder& model);

/// One evaluation of what a file holds.
Evaluation evaluation_in_file(const std::filesystem::path& path, const ModelFolder& model);

/// What the command asks for.
Work work_of(const Options& options, const ModelFolder& model);

}  // namespace command
