// The text states of one image for models with joint attention.
#pragma once

#include "weft/core/digest.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1 {

struct JointPrompt {
  Tensor states;       // (tokens, features): text that goes through the blocks
  Tensor pooled;       // (features)
  float guidance = 0;  // the scale that a model with embedded guidance is told; others have none

  /// Throws InvalidArgument unless the tensors are whole and have the features of the model's settings.
  void check(const auto& config) const {
    if (states.shape.size() != 2 || states.shape[1] != config.text_width)
      reject("a prompt's encoder_hidden_states is ", to_string(states.shape), " and must be (tokens, ",
             config.text_width, ")");
    if (pooled.shape != Shape{config.pooled_width})
      reject("a prompt's pooled_projections is ", to_string(pooled.shape), " and the model needs ",
             to_string(Shape{config.pooled_width}));
    for (const Tensor* tensor : {&states, &pooled})
      if (!tensor->is_whole())
        reject("a prompt's text of ", to_string(tensor->shape), " has ", tensor->size(), " numbers");
  }
};

inline void add_to(Digest& digest, const JointPrompt& prompt) {
  add_to(digest, prompt.states);
  add_to(digest, prompt.pooled);
  add_to(digest, prompt.guidance);
}

}  // namespace weft::inline v0_1
