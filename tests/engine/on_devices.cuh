// OnDevices: a model in the memory of every CUDA device, so that no rank reads another device's weights.
#pragma once

#include <deque>

#include "weft/backend/cuda/current_device.cuh"
#include "weft/comm/peer/devices.cuh"

template <class Model>
class OnDevices {
 public:
  /// Constructs each as Model(arguments...).
  template <class... Arguments>
  explicit OnDevices(const Arguments&... arguments) {
    for (int device = 0; device < weft::peer::device_count(); ++device) {
      const weft::cuda::CurrentDevice current(device);
      models_.emplace_back(arguments...);
    }
  }

  const Model& on(int device) const { return models_[static_cast<std::size_t>(device)]; }
  auto shape() const { return on(0).shape(); }

 private:
  std::deque<Model> models_;
};
