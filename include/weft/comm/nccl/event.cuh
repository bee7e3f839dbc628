// Event: an operation of the NCCL communicator that a queue waits for.
#pragma once

#include <memory>
#include <vector>

#include "weft/backend/cuda/event.cuh"
#include "weft/comm/nccl/mailbox.cuh"

namespace weft::inline v0_1::nccl {

/// Does not cancel: destroyed before it was waited for, the operation continues on the device, and memory
/// that was posted must stay valid until the device has finished. The communicator must outlive it.
struct Event {
  std::shared_ptr<const cuda::Event> done{};  // the end of this rank's transfers; null if there are none
  std::vector<Mailbox::Expected> expected{};  // messages that arrive in this rank's mailbox
};

}  // namespace weft::inline v0_1::nccl
