// How much noise a picture has at each training step, from diffusers' scheduler_config.json.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/io/json.hpp"

namespace weft {

/// The scaled-linear schedule of a v-prediction model. Numbers are rounded to float32 where torch's are.
class NoiseSchedule {
 public:
  explicit NoiseSchedule(const Config& config) : steps_offset_(config.optional("steps_offset", 0)) {
    const int count = config.optional("num_train_timesteps", 1000);
    constexpr int most = 1'000'000;
    if (count < 1 || count > most)
      refuse(config.name(), ": num_train_timesteps is ", count, " and must be from 1 to ", most);
    only(config, "prediction_type", "epsilon", "v_prediction");
    only(config, "beta_schedule", "linear", "scaled_linear");
    only(config, "timestep_spacing", "leading", "leading");
    if (config.optional("clip_sample", true))
      refuse(config.name(),
             ": clip_sample is true (its default), and samplers here do not clip; set it to false");
    if (steps_offset_ < 0 || steps_offset_ >= count)
      refuse(config.name(), ": steps_offset is ", steps_offset_, " and must be from 0 to ", count - 1);

    const auto first = static_cast<float>(std::sqrt(config.optional("beta_start", 0.0001)));
    const auto last = static_cast<float>(std::sqrt(config.optional("beta_end", 0.02)));
    if (!(0 < first && first <= last && last < 1))
      refuse(config.name(), ": beta_start and beta_end must lie between 0 and 1, in this order");
    const float step = count > 1 ? (last - first) / static_cast<float>(count - 1) : 0;
    double product = 1;
    for (int t = 0; t < count; ++t) {
      const float root = t < count / 2 || count == 1 ? first + step * static_cast<float>(t)
                                                     : last - step * static_cast<float>(count - 1 - t);
      product *= static_cast<double>(1.0f - root * root);
      const auto signal = static_cast<double>(static_cast<float>(product));
      if (!(0 < signal && signal < (t > 0 ? signal_.back() : 1)))
        refuse(config.name(), ": beta_start and beta_end are too near to 0 or to 1: training step ", t,
               " adds too little noise or leaves too little of the picture");
      signal_.push_back(signal);
    }
  }

  int train_steps() const { return static_cast<int>(signal_.size()); }
  int steps_offset() const { return steps_offset_; }

  /// The share of the picture's variance at training step t, diffusers' alphas_cumprod.
  double signal(int t) const { return signal_[static_cast<std::size_t>(t)]; }

 private:
  static void only(const Config& config, const char* key, const char* fallback,
                   const std::string& supported) {
    const auto value = config.optional<std::string>(key, fallback);
    if (value != supported)
      refuse(config.name(), ": ", key, " is ", value, ", and samplers here know ", supported, " alone");
  }

  int steps_offset_;
  std::vector<double> signal_;
};

}  // namespace weft
