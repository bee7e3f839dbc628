// The exchange of encoded texts among groups of ranks.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "weft/comm/mesh.hpp"
#include "weft/comm/strided_bytes.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/tensor.hpp"
#include "weft/text/encoded_text.hpp"
#include "weft/text/encoders/config.hpp"
#include "weft/text/encoders/shares.hpp"

namespace weft::inline v0_1::text {

/// Returns zeros of the shapes that an encoder makes of these tokens.
inline EncodedText blank_text(const EncoderConfig& config, const TokenIds& tokens) {
  const Shape rows{static_cast<Index>(tokens.ids.size()), config.width};
  EncodedText out{.states = Tensor(rows), .mask = tokens.mask};
  if (config.pooled() > 0) {
    out.penultimate = Tensor(rows);
    out.pooled = Tensor({config.pooled()});
  }
  return out;
}

/// Brings every text to all ranks of a mesh of encoders: texts[i] is of encodings[i], and has its shapes on
/// all ranks. A rank has it from that rank of the group that made it which holds the same slice.
template <class Backend, World WorldType>
void exchange(typename Backend::Queue& queue, std::span<const Encoding> encodings,
              std::span<EncodedText> texts, WorldType& world, const Mesh& mesh) {
  if (mesh.data == 1) return;
  const auto tensors = [](EncodedText& text) {
    return std::array{&text.states, &text.penultimate, &text.pooled};
  };
  std::vector<Index> ends(static_cast<std::size_t>(mesh.data) + 1);  // of groups
  for (std::size_t i = 0; i < texts.size(); ++i)
    for (const Tensor* tensor : tensors(texts[i]))
      ends[static_cast<std::size_t>(encodings[i].group) + 1] += tensor->size();
  std::partial_sum(ends.begin(), ends.end(), ends.begin());

  const typename Backend::template Buffer<float> buffer(queue, ends.back());
  const View<float, 1> all = buffer.view(std::array{buffer.size()});
  std::vector<StridedBytes> pieces;
  for (std::size_t group = 0; group + 1 < ends.size(); ++group)
    pieces.emplace_back(all.template slice<0>({ends[group], ends[group + 1]}));

  const auto for_each_tensor = [&ends, &texts, encodings, &tensors](const auto& body) {
    std::vector<Index> next(ends.begin(), ends.end() - 1);
    for (std::size_t i = 0; i < texts.size(); ++i)
      for (Tensor* tensor : tensors(texts[i])) {
        Index& at = next[static_cast<std::size_t>(encodings[i].group)];
        if (!tensor->empty()) body(encodings[i].group, *tensor, at);
        at += tensor->size();
      }
  };
  auto communicator = world.split("text", mesh.group(Axis::data, world.rank()));
  for_each_tensor([&queue, &all, own = communicator.rank()](int group, const Tensor& tensor, Index at) {
    if (group == own) upload(queue, tensor, all.template slice<0>({at, at + tensor.size()}));
  });
  auto event = communicator.all_gather(queue, pieces);
  communicator.wait(queue, event);
  const Tensor numbers = download(queue, all);
  for_each_tensor([&numbers](int, Tensor& tensor, Index at) {
    std::copy_n(numbers.data.begin() + at, tensor.size(), tensor.data.begin());
  });
}

}  // namespace weft::inline v0_1::text
