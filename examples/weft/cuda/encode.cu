#include "encode.hpp"

#include "dtype.cuh"
#include "kernels.cuh"
#include "weft/comm/solo.hpp"
#include "weft/text/prompt_encoders.hpp"

namespace command {

EncodedTexts encode_on_cuda(const Options& options, const std::vector<std::string>& prompts) {
  return in_dtype(options, [&options, &prompts]<class E>(std::type_identity<E>) {
    using Backend = Cuda<typename Cuda<E>::Element>;
    const weft::text::PromptEncoders<Backend> encoders(options.model, options.max_sequence_length);
    weft::Solo<typename Backend::Queue> world;
    return encoders.encode(prompts, world);
  });
}

}  // namespace command
