// Copies by copy engines, on streams beside those that compute.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <span>
#include <string>

#include "weft/backend/cuda/event.cuh"
#include "weft/backend/cuda/queue.cuh"
#include "weft/backend/cuda/transfer_stream.cuh"
#include "weft/comm/strided_bytes.hpp"

namespace weft::inline v0_1::cuda {

/// Copies the pieces on `stream` when what is queued now is done, beside what is queued next, and returns the
/// moment after them. A trace shows them under `name`.
[[nodiscard]] inline std::shared_ptr<const Event> copy_beside(Queue& queue, cudaStream_t stream,
                                                              const std::string& name,
                                                              std::span<const PlacedBytes> pieces) {
  const auto kind = queue.timeline() ? Event::Kind::time : Event::Kind::order;
  moment_in(queue.stream())->hold(stream);
  const auto begin = moment_in(stream, kind);
  Index bytes = 0;
  for (const PlacedBytes& piece : pieces) {
    copy_rows(stream, piece.from, piece.to);
    bytes += piece.from.bytes();
  }
  const auto end = moment_in(stream, kind);
  if (queue.timeline())
    queue.timeline()->add({.name = name, .category = "transfer", .bytes = bytes}, begin, end);
  return end;
}

}  // namespace weft::inline v0_1::cuda
