#include "run.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <utility>

#include "device.cuh"

namespace command {

namespace {

/// act(OnDevice<E>()) for the type that the options name.
template <class Act>
auto in_dtype(Dtype dtype, const Act& act) {
  switch (dtype) {
    case Dtype::bf16:
      return act(OnDevice<__nv_bfloat16>());
    case Dtype::fp16:
      return act(OnDevice<__half>());
    default:
      return act(OnDevice<float>());
  }
}

}  // namespace

weft::Tensor run_on_cuda(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace) {
  return in_dtype(options.dtype, [&options, &folder, &work, trace](auto device) {
    return device.run(options, folder, std::move(work), trace);
  });
}

BenchReport bench_on_cuda(const Options& options) {
  return in_dtype(options.dtype, [&options](auto device) { return device.bench(options); });
}

weft::Hardware calibrated_on_cuda(const Options& options) {
  return in_dtype(options.dtype, [](auto device) { return device.calibrate(); });
}

std::vector<double> kernel_times_on_cuda(const Options& options, const std::vector<KernelSize>& sizes) {
  return in_dtype(options.dtype, [&sizes](auto device) { return device.time_kernels(sizes); });
}

}  // namespace command
