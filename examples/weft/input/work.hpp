// The work of a command: a request or an evaluation, from captions or from files.
#pragma once

#include <memory>
#include <variant>

#include "../options/options.hpp"
#include "model_folder.hpp"
#include "weft/engine/request.hpp"
#include "weft/model/hunyuan/prompt.hpp"
#include "weft/model/joint/prompt.hpp"
#include "weft/model/lora_weights.hpp"
#include "weft/model/pixart/prompt.hpp"

namespace command {

/// The work of models with prompts of one type.
template <class Prompt>
using WorkOf = std::variant<weft::Request<Prompt>, weft::Evaluation<Prompt>>;

struct Work {
  std::variant<WorkOf<weft::HunyuanPrompt>, WorkOf<weft::PixArtPrompt>, WorkOf<weft::JointPrompt>> asked{};
  std::unique_ptr<const weft::LoraWeights> weights{};  // if they are open already
};

/// Calls act(work), whose work is a Request or an Evaluation.
template <class Act>
auto visit_work(const Act& act, const Work& work) {
  return std::visit([&act](const auto& some) { return std::visit(act, some); }, work.asked);
}

/// Returns the work of the options' command: a request for captions, or a request or an evaluation with the
/// tensors and metadata of a file. Throws InvalidArgument if a part of it is not valid.
[[nodiscard]] Work work_of(const Options& options, const ModelFolder& model);

}  // namespace command
