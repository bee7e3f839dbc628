// One denoising step as the constants of a linear update.
#pragma once

namespace weft {

/// Every sampler here is linear in the state x, the model's v-prediction and the last estimate of the
/// picture:
///   estimate = alpha · x − sigma · v
///   x' = keep · x + take · estimate + recall · (the estimate of the step before) + noise · (a normal number)
struct SamplerStep {
  int timestep = 0;  // what the model is told
  float alpha = 1, sigma = 0;
  float keep = 0, take = 1, recall = 0, noise = 0;
};

}  // namespace weft
