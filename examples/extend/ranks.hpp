// What the examples of this folder run on: CUDA devices where nvcc compiles them, and threads elsewhere.
#pragma once

#include <cmath>
#include <weft/weft.hpp>
#ifdef __CUDACC__
#include <weft/backend/cuda.cuh>
#include <weft/comm/peer/launch.cuh>
#endif

#ifdef __CUDACC__
using Backend = weft::Cuda<float>;
using World = weft::peer::World;
#else
using Backend = weft::Host;
using World = weft::threads::World;
#endif

/// Calls body(world) on every rank of the mesh. Returns what it has returned on rank 0.
template <class Body>
auto on_ranks(const weft::Mesh& mesh, Body body) {
#ifdef __CUDACC__
  return weft::peer::launch(mesh.ranks(), body);
#else
  return weft::launch(mesh.ranks(), body);
#endif
}

/// Returns the images that an engine on these ranks generates; each rank has a model of its own.
template <class Model, class Parallel>
weft::Tensor generated(const weft::Mesh& mesh, const weft::Request<int>& request) {
  return on_ranks(mesh, [&mesh, &request](World& world) {
    const Model model;
    weft::Engine<Model, Parallel, World> engine(model, mesh, world);
    return engine.generate(request);
  });
}

/// Returns whether images are equal up to rounding.
inline bool are_close(const weft::Tensor& a, const weft::Tensor& b) {
  bool close = a.shape == b.shape && !a.empty();
  for (std::size_t i = 0; close && i < a.data.size(); ++i) close = std::abs(a.data[i] - b.data[i]) < 1e-4f;
  return close;
}
