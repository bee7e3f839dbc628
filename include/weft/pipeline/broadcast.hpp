// broadcast: a tensor of rank 0 on all ranks.
#pragma once

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "weft/backend/backend.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/tensor.hpp"

namespace weft::inline v0_1::pipeline {

/// Returns rank 0's tensor on all ranks, which all give its shape; what the others give is not read.
template <class Backend, World WorldType>
[[nodiscard]] Tensor broadcast(typename Backend::Queue& queue, WorldType& world, Tensor own,
                               const Shape& shape) {
  if (world.size() == 1) return own;
  const Index count = element_count(shape);
  const typename Backend::template Buffer<float> buffer(queue, count);
  const View<float, 1> numbers = buffer.view(std::array{count});
  std::vector<Addressed> sends, receives;
  if (world.rank() == 0) {
    upload(queue, own, numbers);
    for (const int peer : others(world)) sends.push_back({peer, numbers});
  } else {
    receives.push_back({0, numbers});
  }
  auto event = world.all_to_all(queue, sends, receives);
  world.wait(queue, event);
  if (world.rank() == 0) return own;
  return {shape, std::move(download(queue, numbers).data)};
}

}  // namespace weft::inline v0_1::pipeline
