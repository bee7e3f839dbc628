#include "run.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <utility>

#include "device.cuh"

namespace command {

weft::Tensor run_on_cuda(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace) {
  switch (options.dtype) {
    case Dtype::bf16:
      return OnDevice<__nv_bfloat16>::run(options, folder, std::move(work), trace);
    case Dtype::fp16:
      return OnDevice<__half>::run(options, folder, std::move(work), trace);
    default:
      return OnDevice<float>::run(options, folder, std::move(work), trace);
  }
}

}  // namespace command
