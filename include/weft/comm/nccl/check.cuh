// check: throws where NCCL reports an error.
#pragma once

#include <nccl.h>

#include <stdexcept>
#include <string>

#include "weft/check.cuh"
#include "weft/core/error.hpp"

namespace weft::inline v0_1::nccl {

using kernels::check;

inline void check(ncclResult_t result, const char* what) {
  if (result == ncclSuccess) return;
  const char* const more = ncclGetLastError(nullptr);
  throw std::runtime_error(sentence("NCCL: ", what, " failed: ", ncclGetErrorString(result),
                                    more && *more ? sentence(" (", more, ")") : std::string()));
}

}  // namespace weft::inline v0_1::nccl
