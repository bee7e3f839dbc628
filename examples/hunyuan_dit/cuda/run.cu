#include "run.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cmath>
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
    case Dtype::fp8:
      return act(OnDevice<__nv_fp8_e4m3>());
    default:
      return act(OnDevice<float>());
  }
}

double relative_l2(const weft::Tensor& found, const weft::Tensor& right) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < right.data.size(); ++i) {
    difference += std::pow(static_cast<double>(found.data[i]) - right.data[i], 2);
    norm += std::pow(static_cast<double>(right.data[i]), 2);
  }
  return std::sqrt(difference / norm);
}

}  // namespace

weft::Tensor run_on_cuda(const Options& options, const ModelFolder& folder, Work work, weft::Trace* trace) {
  return in_dtype(options.dtype, [&options, &folder, &work, trace](auto device) {
    return device.run(options, folder, std::move(work), trace);
  });
}

BenchReport bench_on_cuda(const Options& options) {
  return in_dtype(options.dtype, [&options](auto device) {
    BenchReport report = device.bench(options);
    if (options.compares)
      for (SizeReport& size : report.sizes)
        size.error = relative_l2(device.evaluation(size.px), OnDevice<float>::evaluation(size.px));
    return report;
  });
}

weft::Hardware calibrated_on_cuda(const Options& options) {
  return in_dtype(options.dtype, [](auto device) { return device.calibrate(); });
}

std::vector<double> kernel_times_on_cuda(const Options& options, const std::vector<KernelSize>& sizes) {
  return in_dtype(options.dtype, [&sizes](auto device) { return device.time_kernels(sizes); });
}

}  // namespace command
