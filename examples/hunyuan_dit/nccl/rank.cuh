// One rank of an NCCL world in numbers of type `E`; each type is compiled in a file of its own.
#pragma once

#include "../run.hpp"
#include "weft/comm/nccl.cuh"

namespace command {

template <class E>
struct NcclRank {
  static weft::Tensor run(weft::nccl::World& world, const Options& options, const ModelFolder& folder,
                          Work work, weft::Trace* trace);
};

}  // namespace command
