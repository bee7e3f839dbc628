// Pipeline: text to images, on all ranks of a mesh: text encoders, denoising, autoencoder. Not in weft.hpp,
// since tokenizers need utf8proc: link weft::pipeline.
#pragma once

#include "weft/comm/agreement.hpp"
#include "weft/comm/mesh.hpp"
#include "weft/engine.hpp"
#include "weft/pipeline/generation.hpp"
#include "weft/pipeline/memory.hpp"
#include "weft/pipeline/models.hpp"
#include "weft/pipeline/resized.hpp"
#include "weft/vae/image_decoder.hpp"

namespace weft::inline v0_1 {

using pipeline::ImageRequest;

/// Every rank of the world makes one, and all call `generate` together, with the same requests; what differs
/// is rejected on all ranks, before any work.
///
///     using Model = weft::HunyuanDiT<weft::Host>;
///     const weft::PipelineModels<Model> models("HunyuanDiT-v1.2-Diffusers");
///     const weft::Mesh mesh{.cfg = 2, .ulysses = 2};
///     const weft::Tensor images = weft::launch(mesh.ranks(), [&models, &mesh](weft::threads::World& world) {
///       weft::Pipeline<Model, weft::CfgParallel<weft::Ulysses<>>> pipeline(models, mesh, world);
///       return pipeline.generate({.prompts = {"an astronaut riding a horse"}});  // on rank 0
///     });
///
/// Engine and decoder are kept between requests with their memory: a request of the same shape begins with
/// its steps at once. The models and the world must outlive it; one thread at a time may use it. After an
/// exception it can be used again as an Engine can: after InvalidArgument and Cancelled, and after any other,
/// such as a lack of memory, if all ranks have thrown.
template <class Model, class Parallel = Local, World WorldType = threads::World>
class Pipeline {
 public:
  using World = WorldType;
  using Backend = typename Model::Backend;
  using Engine = weft::Engine<Model, Parallel, World>;
  using Models = PipelineModels<Model>;

  Pipeline(const Models& models, const Mesh& mesh, World& world)
      : models_(models),
        world_(world),
        slices_(mesh.tensor),
        engine_(models.transformer(), mesh, world),
        agreement_(engine_.queue(), world_),
        decoder_(models.autoencoder(), world),
        memory_(models, mesh, pipeline::engine_traits<Backend, World>(),
                pipeline::memories_of<Backend>(agreement_)) {}
  Pipeline(const Models&&, const Mesh&, World&) = delete;  // would outlive the models

  /// Returns the images (prompts, 3, height, width), −1 black and 1 white, not clamped, on rank 0, and an
  /// empty tensor elsewhere. The text encoders are in memory only until the first step, in slices
  /// where the mesh has a tensor degree. Throws InvalidArgument if the pipeline cannot do what is asked, or a
  /// memory is too small for this and a further request like it, before any work, and Cancelled if it is
  /// stopped.
  [[nodiscard]] Tensor generate(const ImageRequest& asked) {
    agreement_.check([&asked] { return pipeline::summary_of(asked); });
    auto generation = pipeline::generation_of(models_.folder(), models_.transformer().config(), asked);
    memory_.check(asked, generation);
    pipeline::set_prompts(generation, models_.transformer().config(),
                          models_.encoders().encode(generation.texts, world_, slices_, asked.encoding));
    if (asked.stop.stop_possible() && agreement_.any(asked.stop.stop_requested()))
      throw Cancelled("cancelled before the first step");
    engine_.denoise(generation.request);
    const Tensor images =
        decoder_.decode_band(engine_.latents_band(), generation.request.height, asked.decoding);
    return images.empty() ? images : pipeline::covering(images, generation.sizes.final);
  }

  const Engine& engine() const { return engine_; }

 private:
  const Models& models_;
  World& world_;
  int slices_;  // of text encoders
  Engine engine_;
  Agreement<Backend, World> agreement_;
  ImageDecoder<Backend, World> decoder_;
  pipeline::MemoryCheck<Model> memory_;
};

}  // namespace weft::inline v0_1
