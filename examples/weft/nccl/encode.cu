#include "../cuda/dtype.cuh"
#include "../cuda/kernels.cuh"
#include "stages.cuh"
#include "weft/text/prompt_encoders.hpp"

namespace command {

EncodedTexts encode_over_nccl(weft::nccl::World& world, const Options& options,
                              const std::vector<std::string>& texts, const weft::Progress& progress) {
  return in_dtype(options, [&world, &options, &texts, &progress]<class E>(std::type_identity<E>) {
    using Backend = Cuda<typename Cuda<E>::Element>;
    return weft::text::PromptEncoders<Backend>(options.model, options.max_sequence_length)
        .encode(texts, world, options.mesh.tensor, progress);
  });
}

}  // namespace command
