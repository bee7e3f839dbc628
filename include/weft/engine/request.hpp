// What an engine is asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/picture.hpp"
#include "weft/core/tensor.hpp"
#include "weft/model/shape.hpp"
#include "weft/sampler/samplers.hpp"

namespace weft {

/// Pictures from prompts: the whole denoising loop.
template <class Prompt>
struct Request {
  std::vector<Prompt> prompts;
  std::vector<Prompt> negatives{};  // one a prompt, or none: no guidance
  Index height = 0, width = 0;      // of the state, in its own elements
  Sampler sampler{};
  float guidance = 5;          // scale of classifier-free guidance
  float guidance_rescale = 0;  // 0 leaves the prediction's deviation as guidance makes it
  std::uint64_t seed = 0;
  Tensor noise{};       // (prompts, channels, height, width) to start from; empty: drawn from the seed
  Tensor step_noise{};  // (steps, prompts, channels, height, width); empty: drawn from the seed
  std::function<void(Index)> progress{};  // called on rank 0 with the number of finished steps
};

/// One evaluation of the model: pictures side by side, each told its own time.
template <class Prompt>
struct Evaluation {
  std::vector<Prompt> prompts;
  Tensor latents;  // (prompts, channels, height, width)
  Tensor times;    // (prompts)
};

namespace detail {

/// Refused unless the sides are whole numbers of patches.
inline PictureShape picture_of(const DitShape& model, Index height, Index width) {
  const auto side = [&model](const char* name, Index size) {
    if (size < model.patch || size % model.patch != 0)
      refuse("the ", name, " of the state is ", size, " and must be a multiple of the patch's ", model.patch,
             "; ", std::max((size + model.patch / 2) / model.patch, Index{1}) * model.patch, " would do");
  };
  side("height", height);
  side("width", width);
  return {model.channels, height, width, model.patch};
}

inline void need_shape(const char* name, const Tensor& tensor, const Shape& shape) {
  if (tensor.shape != shape)
    refuse("the ", name, " is ", to_string(tensor.shape), " and must be ", to_string(shape));
}

}  // namespace detail

}  // namespace weft
