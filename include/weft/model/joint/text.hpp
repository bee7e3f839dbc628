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
  using Element = typename Backend::Element;
  if (out.empty()) return;
  const auto states = [&share, &prompts, &layer, &out] {
    const Rows text = share.rows.within({0, share.prefix});
    Tensor of_rows({out.extent[0], out.extent[1], layer.inputs()});
    for (Index m = 0; m < text.patches(); ++m)
      for (Index i = 0; i < text.tokens(m).size(); ++i)
        for (Index p = 0; p < share.images; ++p)
          std::copy_n(prompts[static_cast<std::size_t>(p)].states.view<2>()[text.tokens(m).begin + i].data,
                      layer.inputs(), of_rows.view<3>()[text.rows(m).begin + i][p].data);
    return of_rows;
  };
  const Index rows = out.extent[0] * out.extent[1];
  const auto on_device = constant<Backend, Element>(queue, rows * layer.inputs(), states);
  linear(queue, on_device.view(std::array{rows, layer.inputs()}), layer, rows_of(out));
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
