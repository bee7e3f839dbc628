#include "stages.hpp"

#include <utility>

#include "../cuda/encode.hpp"
#include "decode.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/text/prompt_encoders.hpp"

namespace command {

namespace {

EncodedTexts encode_on_threads(const Options& options, const std::vector<std::string>& texts,
                               const weft::Progress& progress, weft::Trace* trace) {
  const weft::text::PromptEncoders<weft::Host> encoders(options.model, options.max_sequence_length);
  EncodedTexts encoded;
  weft::launch(options.world(),
               [&options, &encoders, &texts, &progress, &encoded](weft::threads::World& world) {
                 EncodedTexts own = encoders.encode(texts, world, options.mesh.tensor, progress);
                 if (world.rank() == 0) encoded = std::move(own);
               },
               {.trace = trace});
  return encoded;
}

}  // namespace

EncodedTexts StagesHere::encode(const Options& options, const std::vector<std::string>& texts,
                                const weft::Progress& progress) {
  return options.backend == Backend::host ? encode_on_threads(options, texts, progress, trace_)
                                          : encode_on_cuda(options, texts, progress, trace_);
}

RunResult StagesHere::run(const Options& options, const ModelFolder& folder, Work work,
                          const Wanted& wanted) {
  return command::run(options, folder, std::move(work), wanted, trace_);
}

weft::Tensor StagesHere::decode(const Options& options, const std::filesystem::path& autoencoder,
                                const LatentBands& latents, const weft::Progress& progress) {
  return decoded(options, autoencoder, latents, progress, trace_);
}

}  // namespace command
