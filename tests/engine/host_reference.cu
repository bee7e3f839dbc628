// Compiled by nvcc, which lays out some lambdas differently from the host compiler: their code must not mix.
#include "host_reference.hpp"

#include "worlds.cpp"

weft::Tensor generate_on_host(const Golden& golden, const weft::Mesh& mesh,
                              const weft::Request<Prompt>& request) {
  return generate(Model(golden.folder / "model/transformer"), mesh, request);
}
