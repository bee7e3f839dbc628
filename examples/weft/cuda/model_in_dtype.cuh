// The type of a model on a device for the options' dtype.
#pragma once

#include <type_traits>

#include "../input/with_model.hpp"
#include "../options/options.hpp"
#include "backend.cuh"
#include "dtype.cuh"

namespace command {

/// Returns act(std::type_identity<Model>()) for the model of the settings, in that type and with attention as
/// the options name it.
template <class Act>
auto model_in_dtype(const Options& options, const ModelSettings& settings, const Act& act) {
  return in_dtype(options, [&options, &settings, &act]<class E>(std::type_identity<E>) {
    if constexpr (!std::is_same_v<E, float>) Cuda<E>::is_int8 = options.attends_in_int8;
    return with_model<Cuda<E>>(settings, act);
  });
}

}  // namespace command
