// Compiled by nvcc, which lays out some lambdas differently from the host compiler: their code must not mix.
#include "host_reference.hpp"

#include "weft/model/pixart.hpp"
#include "weft/model/weight_source.hpp"
#include "worlds.cpp"

weft::Tensor generate_on_host(const Golden& golden, const weft::Mesh& mesh,
                              const weft::Request<Prompt>& request) {
  return generate(Model(golden.folder / "model/transformer"), mesh, request);
}

weft::Tensor pixart_on_host(const weft::PixArtConfig& config,
                            const weft::Evaluation<weft::PixArtPrompt>& evaluation) {
  using PixArt = weft::PixArt<weft::Host>;
  const PixArt model(config, weft::RandomWeights{});
  weft::Tensor out;
  weft::launch(1, [&](weft::threads::World& world) {
    out = weft::Engine<PixArt, weft::Local>(model, {}, world).forward(evaluation);
  });
  return out;
}
