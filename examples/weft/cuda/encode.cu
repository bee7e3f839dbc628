#include "encode.hpp"

#include <utility>

#include "dtype.cuh"
#include "kernels.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/solo.hpp"
#include "weft/text/prompt_encoders.hpp"

namespace command {

EncodedTexts encode_on_cuda(const Options& options, const std::vector<std::string>& prompts,
                            const weft::Progress& progress, weft::Trace* trace) {
  return in_dtype(options, [&options, &prompts, &progress, trace]<class E>(std::type_identity<E>) {
    using Backend = Cuda<typename Cuda<E>::Element>;
    const weft::text::PromptEncoders<Backend> encoders(options.model, options.max_sequence_length);
    if (options.world() == 1) {
      weft::Solo<typename Backend::Queue> world(1, trace ? &trace->lane(0) : nullptr);
      return encoders.encode(prompts, world, 1, progress);
    }
    EncodedTexts encoded;
    weft::peer::launch(options.world(),
                       [&options, &encoders, &prompts, &progress, &encoded](weft::peer::World& world) {
                         EncodedTexts own = encoders.encode(prompts, world, options.mesh.tensor, progress);
                         if (world.rank() == 0) encoded = std::move(own);
                       },
                       {.trace = trace});
    return encoded;
  });
}

}  // namespace command
