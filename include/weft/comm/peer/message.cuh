// A message between ranks of one process on CUDA devices: a copy, ordered by events.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "weft/backend/cuda/current_device.cuh"
#include "weft/backend/cuda/event.cuh"
#include "weft/backend/cuda/transfer_stream.cuh"
#include "weft/comm/strided_bytes.hpp"

namespace weft::peer {

using cuda::check;

/// What a rank sends goes through it; at its end all has arrived.
class Lane : public cuda::TransferStream {
 public:
  Lane() = default;
  ~Lane() { cudaStreamSynchronize(get()); }
};

/// `ready` is when the block may be read, or written. The sender brings the stream, and the moments between
/// which the copy runs; the receiver learns its end.
struct Message {
  StridedBytes piece;
  std::shared_ptr<const cuda::Event> ready;
  std::shared_ptr<const Lane> lane{};
  std::shared_ptr<const cuda::Event> begin{};  // null unless the time is asked for
  std::shared_ptr<const cuda::Event> end{};
  int to = -1;  // the receiver

  /// On the thread of either rank.
  static void deliver(const Message& from, Message& to) {
    const cuda::CurrentDevice sender(from.lane->device());
    const cudaStream_t stream = from.lane->get();
    from.ready->hold(stream);
    to.ready->hold(stream);
    if (from.begin) from.begin->record(stream);
    const auto [source, target] = in_equal_rows(from.piece, to.piece);
    check(
        cudaMemcpy2DAsync(target.data, static_cast<std::size_t>(target.stride), source.data,
                          static_cast<std::size_t>(source.stride), static_cast<std::size_t>(source.row_bytes),
                          static_cast<std::size_t>(source.rows), cudaMemcpyDefault, stream),
        "Sending a message");
    from.end->record(stream);
    to.end = from.end;
  }
};

}  // namespace weft::peer
