// Models and requests of the tests whose ranks are threads.
#pragma once

#include "host_model.hpp"

// Compiled once, in worlds.cpp.
extern template class weft::HunyuanDiT<weft::Host>;
extern template class weft::Engine<Model, weft::Local>;
extern template class weft::Engine<Model, Full>;

/// Return what an engine of its own returns on rank 0.
template <class Parallel = Full>
weft::Tensor generate(const Model& model, const weft::Mesh& mesh, const weft::Request<Prompt>& request) {
  weft::Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<Model, Parallel> engine(model, mesh, world);
    weft::Tensor images = engine.generate(request);
    if (world.rank() == 0) result = std::move(images);
  });
  return result;
}

/// Returns the same, from ranks that hold slices of the model.
inline weft::Tensor generate(const HostGolden& golden, const weft::Mesh& mesh,
                             const weft::Request<Prompt>& request) {
  weft::Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<Model, Full> engine(golden.slices.of_rank(mesh, world.rank()), mesh, world);
    weft::Tensor images = engine.generate(request);
    if (world.rank() == 0) result = std::move(images);
  });
  return result;
}

template <class Parallel = Full>
weft::Tensor forward(const Model& model, const weft::Mesh& mesh, const weft::Evaluation<Prompt>& evaluation) {
  weft::Tensor result;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    weft::Engine<Model, Parallel> engine(model, mesh, world);
    weft::Tensor sample = engine.forward(evaluation);
    if (world.rank() == 0) result = std::move(sample);
  });
  return result;
}
