// Any text is a valid configuration of a model or a scheduler, or rejected.
#include "weft/model/hunyuan/config.hpp"
#include "weft/sampler/samplers.hpp"

namespace {

template <class Body>
void may_reject(Body body) {
  try {
    body();
  } catch (const weft::InvalidArgument&) {
  }
}

bool is_finite(const weft::SamplerStep& step) {
  return std::isfinite(step.alpha + step.sigma + step.keep + step.take + step.recall + step.direct +
                       step.noise);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  may_reject([&] {
    const weft::Config config({reinterpret_cast<const char*>(data), size}, "config.json");
    may_reject([&] {
      const weft::HunyuanConfig model(config);
      if (model.shape().width != model.width() || model.features() < 1 || model.ffn < 1) __builtin_trap();
      if (model.extra_width() < 1) __builtin_trap();
    });
    for (const auto name : {"ddpm", "ddim", "dpmpp"})
      for (const int steps : {-1, 1, 50, 2'147'483'647})
        may_reject([&] {
          for (const auto& step : weft::make_sampler(name, config, steps))
            if (step.timestep < 0 || step.timestep >= 1'000'000 || !is_finite(step)) __builtin_trap();
        });
  });
  return 0;
}
