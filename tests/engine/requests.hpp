// Sequences of requests on one engine, for every backend.
#pragma once

#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "golden.hpp"

/// Returns requests of which some can use the memory and recordings of the one before and some cannot, with
/// the first again at the end; all fit the mesh.
inline std::vector<weft::Request<Prompt>> various_requests(const Golden& golden, const weft::Mesh& mesh) {
  auto request = golden.request("ddpm");
  request.noise = request.step_noise = {};
  std::vector<weft::Request<Prompt>> all{request};
  const auto add = [&all](auto change) {
    all.push_back(all.back());
    change(all.back());
  };
  add([](auto& next) { next.seed = 0x123456789abcdef; });
  add([](auto& next) { std::swap(next.prompts, next.negatives); });
  add([](auto& next) { next.guidance = 2.5f; });
  add([](auto& next) { next.guidance_rescale = 0.5f; });
  add([](auto& next) { next.guidance_rescale = 0.9f; });
  add([&golden](auto& next) {
    next.sampler = weft::make_sampler("dpmpp", golden.scheduler(), static_cast<int>(next.sampler.size()));
  });
  add([](auto& next) { next.sampler.pop_back(); });
  add([](auto& next) {
    next.height += 6;
    next.width -= 2;
  });
  if (mesh.cfg == 1)
    add([](auto& next) {
      next.negatives.clear();
      next.guidance = 1;
      next.guidance_rescale = 0;
    });
  add([&golden](auto& next) { next = golden.request("ddpm"); });
  add([](auto& next) { std::swap(next.noise.data.front(), next.noise.data.back()); });
  add([](auto& next) { std::swap(next.step_noise.data.front(), next.step_noise.data.back()); });
  all.push_back(request);
  return all;
}

/// Returns a request with `count` prompts and two steps.
inline weft::Request<Prompt> several_prompts(const Golden& golden, weft::Index count) {
  auto request = golden.request("ddim");
  request.noise = request.step_noise = {};
  request.sampler = weft::make_sampler("ddim", golden.scheduler(), 2);
  const Prompt one = request.prompts.front(), other = request.negatives.front();
  request.prompts.assign(static_cast<std::size_t>(count), one);
  request.negatives.assign(static_cast<std::size_t>(count), other);
  return request;
}

/// Returns a request whose `progress` throws "enough".
inline weft::Request<Prompt> failing_request(weft::Request<Prompt> request) {
  request.progress = [](weft::Index) { throw std::runtime_error("enough"); };
  return request;
}

/// Returns a request whose starting noise holds a NaN, which spreads.
inline weft::Request<Prompt> spoilt_request(weft::Request<Prompt> request) {
  request.noise.data.front() = NAN;
  return request;
}

template <class Engine>
double seconds_beyond_steps(const Engine& engine) {
  const std::vector<double>& steps = engine.step_seconds();
  return engine.request_seconds() - std::accumulate(steps.begin(), steps.end(), 0.0);
}
