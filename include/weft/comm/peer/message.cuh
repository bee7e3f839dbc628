// A message between ranks of one process on CUDA devices: a copy, ordered by events.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "weft/backend/cuda/current_device.cuh"
#include "weft/backend/cuda/event.cuh"
#include "weft/backend/cuda/transfer_stream.cuh"
#include "weft/comm/strided_bytes.hpp"

namespace weft::inline v0_1::peer {

using cuda::check;

/// The stream of all that a rank sends over a communicator; its destructor returns when all has arrived.
class SendStream : public cuda::TransferStream {
 public:
  SendStream() = default;
  ~SendStream() { cudaStreamSynchronize(get()); }
};

/// One side of a message. The sender brings the stream, and the events before and after the copy; the
/// receiver takes over the event after it.
struct Message {
  StridedBytes piece;
  std::shared_ptr<const cuda::Event> ready;  // from which on `piece` may be read, or written
  std::shared_ptr<const SendStream> stream{};
  std::shared_ptr<const cuda::Event> begin{};  // null unless the message is timed
  std::shared_ptr<const cuda::Event> end{};
  int to = -1;  // the receiver

  /// Queues the copy, on the thread of either rank.
  static void deliver(const Message& from, Message& to) {
    const cuda::CurrentDevice sender(from.stream->device());
    const cudaStream_t stream = from.stream->get();
    from.ready->hold(stream);
    to.ready->hold(stream);
    if (from.begin) from.begin->record(stream);
    const auto [source, target] = in_equal_rows(from.piece, to.piece);
    check(
        cudaMemcpy2DAsync(target.data, static_cast<std::size_t>(target.stride), source.data,
                          static_cast<std::size_t>(source.stride), static_cast<std::size_t>(source.row_bytes),
                          static_cast<std::size_t>(source.rows), cudaMemcpyDefault, stream),
        "sending a message");
    from.end->record(stream);
    to.end = from.end;
  }
};

}  // namespace weft::inline v0_1::peer
