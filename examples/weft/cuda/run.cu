#include "run.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../options/no_gpu.hpp"
#include "device.cuh"
#include "dtype.cuh"
#include "measurements.cuh"
#include "model_in_dtype.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/device.cuh"

namespace command {

namespace {

double relative_l2(const weft::Tensor& found, const weft::Tensor& right) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < right.data.size(); ++i) {
    difference += std::pow(static_cast<double>(found.data[i]) - right.data[i], 2);
    norm += std::pow(static_cast<double>(right.data[i]), 2);
  }
  return std::sqrt(difference / norm);
}

/// Throws InvalidArgument if the command was built without what the options need, or, with options that need
/// no device, if there is none.
void check_devices(const Options& options) {
  in_dtype(options, [](const auto&) {});
  if (options.compares && !has_dtype("fp32")) reject_dtype("fp32, which --compare measures against");
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)
    weft::reject("there is no CUDA device here; ", advice_without_gpu(options));
}

}  // namespace

int gpus_on_cuda(const Options& options) {
  check_devices(options);
  return weft::peer::connected_device_count();
}

DeviceMemory memory_on_cuda(const Options& options) {
  check_devices(options);
  using weft::cuda::check;
  const int devices = weft::peer::device_count();
  int current = 0;
  check(cudaGetDevice(&current), "Asking for the current device");
  const auto free_on = [](int device) {
    std::size_t free = 0, all = 0;
    check(cudaSetDevice(device), "Choosing a device");
    check(cudaMemGetInfo(&free, &all), "Asking for free memory");
    return static_cast<double>(free);
  };
  DeviceMemory memory{devices, free_on(current)};
  if (options.launched) return memory;
  memory.devices = static_cast<int>(std::min<weft::Index>(devices, options.world()));
  for (int device = 0; device < memory.devices; ++device)
    memory.free = std::min(memory.free, free_on(device));
  check(cudaSetDevice(current), "Choosing a device");
  return memory;
}

void check_model_on_cuda(const Options& options, const ModelFolder& folder) {
  check_devices(options);
  model_in_dtype(options, folder.settings(), [&options, &folder]<class Model>(std::type_identity<Model>) {
    Model::Backend::check(folder.shape());
    const int slices = options.mesh.tensor;
    for (int i = 0; i < slices; ++i) Model::Backend::check(folder.shape().of_slice({i, slices}));
  });
}

RunResult run_on_cuda(const Options& options, const ModelFolder& folder, Work work, const Wanted& wanted,
                      weft::Trace* trace) {
  return model_in_dtype(options, folder.settings(),
                        [&options, &folder, &work, &wanted, trace]<class Model>(std::type_identity<Model>) {
                          return OnDevice<Model>::run(options, folder, std::move(work), wanted, trace);
                        });
}

BenchReport bench_on_cuda(const Options& options, const Arch& arch, const std::vector<BenchCase>& sizes) {
  BenchReport report;
  report.sizes = model_in_dtype(options, settings_of(arch),
                                [&options, &arch, &sizes]<class Model>(std::type_identity<Model>) {
                                  return OnDevice<Model>::bench(options, arch, sizes);
                                });
  if (options.world() > 1)
    report.transfers = in_dtype(options, [&options, &sizes]<class E>(std::type_identity<E>) {
      return Measurements<E>::transfers(options, sizes);
    });
  add_device_figures(report, options, arch);
  return report;
}

void add_device_figures(BenchReport& report, const Options& options, const Arch& arch) {
  report.device = weft::kernels::device_name();
  report.roofline =
      in_dtype(options, []<class E>(std::type_identity<E>) { return Measurements<E>::roofline(); });
  if (!options.compares) return;
  Options in_fp32 = options;
  in_fp32.dtype = Dtype::fp32;
  const auto evaluation = [&arch](const Options& asked, int px) {
    return model_in_dtype(asked, settings_of(arch), [&arch, px]<class Model>(std::type_identity<Model>) {
      return OnDevice<Model>::evaluation(arch, px);
    });
  };
  for (SizeReport& size : report.sizes)
    size.error = relative_l2(evaluation(options, size.px), evaluation(in_fp32, size.px));
}

RehearsalReport rehearse_on_cuda(const Options& options, const std::vector<RehearsedRank>& ranks) {
  return in_dtype(options, [&options, &ranks]<class E>(std::type_identity<E>) {
    return Measurements<E>::rehearse(options, ranks);
  });
}

weft::planner::Hardware calibrated_on_cuda(const Options& options, const weft::planner::Hardware& known) {
  check_devices(options);
  return in_dtype(options, [&known]<class E>(std::type_identity<E>) {
    return Measurements<E>::calibrate_links(Measurements<E>::calibrate_gpu(known));
  });
}

weft::planner::Hardware calibrated_gpu(const Options& options, const weft::planner::Hardware& known) {
  return in_dtype(options,
                  [&known]<class E>(std::type_identity<E>) { return Measurements<E>::calibrate_gpu(known); });
}

std::vector<double> kernel_times_on_cuda(const Options& options, const std::vector<KernelSize>& sizes) {
  check_devices(options);
  return in_dtype(options,
                  [&sizes]<class E>(std::type_identity<E>) { return Measurements<E>::time_kernels(sizes); });
}

}  // namespace command
