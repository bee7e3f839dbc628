#include "model_work.hpp"

#include <algorithm>
#include <variant>
#include <vector>

#include "counted/counted.hpp"

namespace command {

namespace {

weft::Index text_of(const weft::HunyuanPrompt&) { return 0; }
template <class Prompt>
weft::Index text_of(const Prompt& prompt) {
  return prompt.states.shape.empty() ? 0 : prompt.states.shape.front();
}

template <class Prompt>
weft::Index longest(const std::vector<Prompt>& prompts) {
  weft::Index most = 0;
  for (const Prompt& prompt : prompts) most = std::max(most, text_of(prompt));
  return most;
}
template <class Prompt>
weft::Index longest(const weft::Request<Prompt>& request) {
  return std::max(longest(request.prompts), longest(request.negatives));
}
template <class Prompt>
weft::Index longest(const weft::Evaluation<Prompt>& evaluation) {
  return longest(evaluation.prompts);
}

}  // namespace

ModelWorkPointer model_work(const ModelSettings& settings, Dtype dtype, weft::Index text) {
  return std::visit([dtype, text](const auto& some) { return counted(some, dtype, text); }, settings);
}

ModelWorkPointer model_work(const ModelSettings& settings, Dtype dtype, const Work& work) {
  return model_work(settings, dtype, visit_work([](const auto& asked) { return longest(asked); }, work));
}

}  // namespace command
