// What a queue waits for.
#pragma once

#include <memory>
#include <vector>

#include "weft/backend/cuda/event.cuh"
#include "weft/comm/nccl/mailbox.cuh"

namespace weft::nccl {

/// An operation. Dropped before it is waited for, it goes on: nothing is taken back.
struct Event {
  std::shared_ptr<const cuda::Event> done{};  // its transfers, if this rank makes any
  std::vector<Mailbox::Expected> expected{};  // what comes into this rank's memory meanwhile
};

}  // namespace weft::nccl
