// Cases for the tests of meshes in any world: requests, and the bytes that ranks must send.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "golden.hpp"

/// Returns a request for two images in two steps, different for every `number`.
inline weft::Request<Prompt> two_images(const Golden& golden, int number, weft::Index height,
                                        weft::Index width) {
  auto request = golden.request("ddpm");
  request.sampler = weft::make_sampler(number % 2 ? "ddpm" : "dpmpp", golden.scheduler(), 2);
  request.noise = request.step_noise = {};
  request.prompts.push_back(request.negatives[0]);
  request.negatives.push_back(request.prompts[0]);
  request.height = height;
  request.width = width;
  request.guidance_rescale = number % 3 ? 0 : 0.5f;
  request.seed = static_cast<std::uint64_t>(number);
  return request;
}

/// Returns a request whose steps only add noise.
inline weft::Request<Prompt> noise_alone(const Golden& golden) {
  auto request = golden.request("ddim");
  request.noise = request.step_noise = {};
  request.height = 10;
  request.width = 22;
  request.sampler = {{.timestep = 500, .keep = 1, .take = 0},
                     {.timestep = 100, .keep = 1, .take = 0, .noise = 1}};
  return request;
}

/// Returns a request whose steps threshold the state by its own quantiles, without the model's prediction.
inline weft::Request<Prompt> thresholds_alone(const Golden& golden) {
  auto request = noise_alone(golden);
  request.prompts.push_back(request.negatives[0]);
  request.negatives.push_back(request.prompts[0]);
  request.sampler = {
      {.timestep = 500, .alpha = 2, .take = 1, .bound = 100, .quantile = 0.9f, .normalizes = 1},
      {.timestep = 100, .alpha = 5, .take = 1, .bound = 100, .quantile = 0.31f}};
  return request;
}

/// The bytes that a rank sends over an axis in a TrafficLoop, by the formula of a method.
struct Sending {
  weft::Mesh mesh;
  const char* axis;
  std::function<weft::Index(int rank)> bytes;
};

/// A loop of two steps on an image of 8 × 8 tokens.
struct TrafficLoop {
  const Golden& golden;
  weft::Index steps = 2;

  weft::Request<Prompt> request() const {
    auto request = golden.request("ddim");
    request.step_noise = {};
    request.sampler = weft::make_sampler("ddim", golden.scheduler(), static_cast<int>(steps));
    return request;
  }

  /// Returns a case for each method on n ranks. Those of Ulysses and Ring hold if n divides tokens and heads.
  /// Ulysses: 4 (N − 1) / N² of the activations a rank and block; Ring: 2 (N − 1) / N; folded PipeFusion: the
  /// activations once on the first and last stage and twice on others; CfgParallel: one prediction a step;
  /// TensorParallel, if n divides tokens: 2 (N − 1) / N of the activations for each of a block's three sums.
  std::vector<Sending> sendings(int n) const {
    const weft::Index activations = 2 * 64 * golden.shape().width * 4;  // of both branches, in float32
    const weft::Index blocks = golden.shape().blocks;
    const weft::Index ulysses = steps * 4 * (n - 1) * activations * blocks / (n * n);
    const weft::Index ring = steps * 2 * (n - 1) * activations * blocks / n;
    const weft::Index pipe = steps * activations, cfg = steps * 4 * 16 * 16 * 4;
    std::vector<Sending> out{{{.ulysses = n}, "ulysses", [ulysses](int) { return ulysses; }},
                             {{.ring = n}, "ring", [ring](int) { return ring; }},
                             {{.pipe = n, .patches = n + 1}, "pipe", [pipe, n](int rank) {
                                return (rank == 0 || rank == n - 1 ? 1 : 2) * pipe;
                              }}};
    const weft::Index tensor = steps * 3 * 2 * (n - 1) * activations * blocks / n;
    out.push_back({{.tensor = n}, "tensor", [tensor](int) { return tensor; }});
    if (n == 2) out.push_back({{.cfg = 2}, "cfg", [cfg](int) { return cfg; }});
    return out;
  }
};

/// Returns the bytes that this rank has sent over the axis so far.
template <class World>
weft::Index bytes_sent(const World& world, const char* axis) {
  const auto at = world.traffic().find(axis);
  return at == world.traffic().end() ? 0 : at->second.bytes;
}
