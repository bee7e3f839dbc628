// The definition of `counted`, for one model.
#pragma once

#include "counted.hpp"
#include "weft/plan/counted_model.hpp"
#include "weft/plan/sample_prompt.hpp"

namespace command {

/// Returns the work of Model<Counting> in a dtype.
template <template <class> class Model, class Settings, class Prompt>
ModelWorkPointer counted_as(const Settings& settings, Dtype dtype, const Prompt& prompt) {
  using weft::counting::Number;
  const auto count = [&settings, &prompt]<class Backend>(Backend) -> ModelWorkPointer {
    return std::make_unique<weft::planner::CountedModel<Model<Backend>>>(settings, prompt);
  };
  switch (dtype) {
    case Dtype::fp32:
      return count(weft::Counting<float>());
    case Dtype::fp8:
      return count(weft::Counting<Number<2>, Number<1>>());
    default:
      return count(weft::Counting<Number<2>>());
  }
}

}  // namespace command
