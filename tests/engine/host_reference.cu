// Compiled by nvcc, which lays out some lambdas differently from the host compiler: their code must not mix.
#include "host_reference.hpp"

#include "weft/model/pixart.hpp"
#include "weft/model/weight_source.hpp"
#include "worlds.cpp"

namespace {

/// Returns compute(engine) of PixArt with random weights.
template <class Compute>
weft::Tensor by_pixart(const weft::PixArtConfig& config, const Compute& compute) {
  using PixArt = weft::PixArt<weft::Host>;
  const PixArt model(config, weft::RandomWeights{});
  weft::Tensor out;
  weft::launch(1, [&](weft::threads::World& world) {
    weft::Engine<PixArt, weft::Local> engine(model, {}, world);
    out = compute(engine);
  });
  return out;
}

}  // namespace

weft::Tensor generate_on_host(const Golden& golden, const weft::Mesh& mesh,
                              const weft::Request<Prompt>& request) {
  return generate(Model(golden.folder / "model/transformer"), mesh, request);
}

weft::Tensor pixart_on_host(const weft::PixArtConfig& config,
                            const weft::Evaluation<weft::PixArtPrompt>& evaluation) {
  return by_pixart(config, [&evaluation](auto& engine) { return engine.forward(evaluation); });
}

weft::Tensor pixart_on_host(const weft::PixArtConfig& config,
                            const weft::Request<weft::PixArtPrompt>& request) {
  return by_pixart(config, [&request](auto& engine) { return engine.generate(request); });
}
