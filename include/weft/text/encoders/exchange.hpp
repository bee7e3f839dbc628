// The exchange of encoded texts among ranks.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

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

/// Brings every text to all ranks from the one that made it: texts[i] is of encodings[i], and has its shapes
/// on all ranks.
template <class Backend, World WorldType>
void exchange(typename Backend::Queue& queue, std::span<const Encoding> encodings,
              std::span<EncodedText> texts, WorldType& world) {
  if (world.size() == 1) return;
  const auto tensors = [](EncodedText& text) {
    return std::array{&text.states, &text.penultimate, &text.pooled};
  };
  std::vector<Index> ends(static_cast<std::size_t>(world.size()) + 1);
  for (std::size_t i = 0; i < texts.size(); ++i)
    for (const Tensor* tensor : tensors(texts[i]))
      ends[static_cast<std::size_t>(encodings[i].rank) + 1] += tensor->size();
  std::partial_sum(ends.begin(), ends.end(), ends.begin());

  const typename Backend::template Buffer<float> buffer(queue, ends.back());
  const View<float, 1> all = buffer.view(std::array{buffer.size()});
  std::vector<StridedBytes> pieces;
  for (std::size_t rank = 0; rank + 1 < ends.size(); ++rank)
    pieces.emplace_back(all.template slice<0>({ends[rank], ends[rank + 1]}));

  const auto for_each_tensor = [&ends, &texts, encodings, &tensors](const auto& body) {
    std::vector<Index> next(ends.begin(), ends.end() - 1);
    for (std::size_t i = 0; i < texts.size(); ++i)
      for (Tensor* tensor : tensors(texts[i])) {
        Index& at = next[static_cast<std::size_t>(encodings[i].rank)];
        if (!tensor->empty()) body(encodings[i].rank, *tensor, at);
        at += tensor->size();
      }
  };
  for_each_tensor([&queue, &all, own = world.rank()](int rank, const Tensor& tensor, Index at) {
    if (rank == own) upload(queue, tensor, all.template slice<0>({at, at + tensor.size()}));
  });
  std::vector<int> members(static_cast<std::size_t>(world.size()));
  std::iota(members.begin(), members.end(), 0);
  auto communicator = world.split("text", members);
  auto event = communicator.all_gather(queue, pieces);
  communicator.wait(queue, event);
  const Tensor numbers = download(queue, all);
  for_each_tensor([&numbers](int, Tensor& tensor, Index at) {
    std::copy_n(numbers.data.begin() + at, tensor.size(), tensor.data.begin());
  });
}

}  // namespace weft::inline v0_1::text
