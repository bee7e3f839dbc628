// The text of joint attention on its way into the sequence.
#pragma once

#include <algorithm>
#include <span>

#include "weft/backend/operators.hpp"
#include "weft/model/dit.hpp"
#include "weft/model/joint/prompt.hpp"
#include "weft/model/layers.hpp"

namespace weft::inline v0_1::joint {

/// Embeds the text of the prefix rows that one rank holds: out (prefix rows, images, outputs of the layer).
template <class Backend>
void embed_text(typename Backend::Queue& queue, const Share& share, std::span<const JointPrompt> prompts,
                const LinearWeights<typename Backend::Element>& layer,
                const View<typename Backend::Element, 3>& out) {
  if (out.empty()) return;
  const Index images = out.extent[1], rows = out.extent[0] * images;
  const typename Backend::template Buffer<typename Backend::Element> states(queue, rows * layer.inputs());
  const auto of_rows = states.view(std::array{out.extent[0], images, layer.inputs()});
  const Rows text = share.rows.within({0, share.prefix});
  for (Index p = 0; holds_numbers<Backend> && p < images; ++p)
    for (Index m = 0; m < text.patches(); ++m)
      upload(queue,
             prompts[static_cast<std::size_t>(p)].states.template view<2>().template slice<0>(text.tokens(m)),
             of_image(of_rows, p).template slice<0>(text.rows(m)).fold());
  linear(queue, states.view(std::array{rows, layer.inputs()}), layer, rows_of(out));
}

/// Returns the pooled texts: (images, features).
inline Tensor pooled_texts(std::span<const JointPrompt> prompts) {
  const Index features = prompts.front().pooled.size();
  Tensor out({static_cast<Index>(prompts.size()), features});
  for (std::size_t p = 0; p < prompts.size(); ++p)
    std::copy_n(prompts[p].pooled.data.begin(), features, out.view<2>()[static_cast<Index>(p)].data);
  return out;
}

}  // namespace weft::inline v0_1::joint
