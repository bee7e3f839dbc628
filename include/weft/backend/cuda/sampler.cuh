// The sampler's operators on a CUDA device. Tensors are (tokens, images, features), in float32.
#pragma once

#include <cstdint>

#include "weft/backend/cuda/queue.cuh"
#include "weft/core/grid.hpp"
#include "weft/core/sampler_step.hpp"
#include "weft/sampler.cuh"

namespace weft::inline v0_1::cuda {

namespace detail {

/// Runs an elementwise kernel; `moves` is how many numbers it reads or writes for each.
template <class Body>
void for_each_number(Queue& queue, const char* name, Index moves, const View<float, 3>& like,
                     const Body& body) {
  const auto span = queue.span(Work{
      name, {like.extent[0] * like.extent[1], like.extent[2]}, 0, moves * like.size() * bytes_of<float>});
  kernels::for_each_number(queue.stream(), like.extent[0] * like.extent[1], like.extent[2], body);
}

inline kernels::PatchMoments patch_moments(const View<const double, 3>& moments) {
  return {moments.data, moments.extent[0], moments.stride[0], moments.stride[1]};
}

constexpr unsigned block = 256;
/// Returns how many such blocks have a thread for each search.
inline unsigned blocks_of(const View<QuantileSearch, 1>& searches) {
  return (static_cast<unsigned>(searches.size()) + block - 1) / block;
}

}  // namespace detail

// What differs from request to request, as a seed or a scale, is read from device memory, so that recorded
// work serves every request.

/// Draws normal numbers for `tokens` of images `first`, `first` + 1, …; those of an element do not depend on
/// the rank that holds it.
template <Grid G>
void noise(Queue& queue, const std::uint64_t* seed, Step step, const G& shape, Index first, Range tokens,
           const View<float, 3>& out) {
  detail::for_each_number(queue, "noise", 1, out,
                          kernels::Noise<G>{seed, step, shape, first, tokens.begin, out});
}

/// Combines guidance branches in place: positive = negative + scale · (positive − negative).
inline void guide(Queue& queue, In<float, 3> negative, const float* scale, const View<float, 3>& positive) {
  detail::for_each_number(queue, "guide", 3, positive, kernels::Guide{negative, scale, positive});
}

/// Computes the weighted sum of several branches' predictions, (tokens, branches · images, features), by a
/// step's weights, (steps, branches); out (tokens, images, features) may be a branch's part of them.
inline void weigh(Queue& queue, In<float, 3> predictions, In<float, 2> weights, Step step,
                  const View<float, 3>& out) {
  detail::for_each_number(queue, "weigh", weights.extent[1] + 1, out,
                          kernels::Weigh{predictions, weights, step, out});
}

/// Computes every image's sum and sum of squares: out (images, 2).
inline void moments(Queue& queue, In<float, 3> x, const View<double, 2>& out) {
  if (x.extent[1] == 0) return;
  const auto span =
      queue.span(Work{"moments", {x.extent[0] * x.extent[1], x.extent[2]}, 0, x.size() * bytes_of<float>});
  constexpr int threads = 1024;
  kernels::image_moments<threads>
      <<<static_cast<unsigned>(x.extent[1]), threads, 0, queue.stream()>>>(x, out.data, out.stride[0]);
  check(cudaGetLastError(), "launching moments");
}

/// Scales x so that its standard deviation over an image approaches that of the reference: by
/// rescale · deviation(reference) / deviation(x) + 1 − rescale. The moments (patches, images, 2) are of
/// `count` elements an image, over all patches.
inline void rescale(Queue& queue, In<double, 3> x_moments, In<double, 3> reference_moments, Index count,
                    const float* rescale, const View<float, 3>& x) {
  detail::for_each_number(
      queue, "rescale", 2, x,
      kernels::Rescale{detail::patch_moments(x_moments), detail::patch_moments(reference_moments),
                       static_cast<double>(count), rescale, x});
}

/// Computes the magnitudes of a step's estimates, before they are bounded.
inline void magnitudes(Queue& queue, In<float, 2> constants, Step step, In<float, 3> output, In<float, 3> x,
                       const View<float, 3>& out) {
  detail::for_each_number(queue, "magnitudes", 3, out,
                          kernels::Magnitudes<SamplerStep>{constants, step, output, x, out});
}

/// Counts, in a round of each image's search, how many magnitudes have which digit: counts
/// (images, QuantileSearch::statistics · digits).
inline void count_digits(Queue& queue, In<float, 3> magnitudes, const QuantileSearch* searches, int round,
                         const View<double, 2>& counts) {
  if (magnitudes.extent[1] == 0) return;
  const auto span = queue.span(Work{"count digits",
                                    {magnitudes.extent[0] * magnitudes.extent[1], magnitudes.extent[2]},
                                    0,
                                    magnitudes.size() * bytes_of<float>});
  kernels::count_digits<<<static_cast<unsigned>(magnitudes.extent[1]), 1024, 0, queue.stream()>>>(
      magnitudes, searches, round, counts.data, counts.stride[0]);
  check(cudaGetLastError(), "launching count_digits");
}

/// Starts the images' searches for a step's quantile of `count` magnitudes.
inline void start_searches(Queue& queue, In<float, 2> constants, Step step, Index count,
                           const View<QuantileSearch, 1>& searches) {
  if (searches.empty()) return;
  kernels::start_searches<SamplerStep><<<detail::blocks_of(searches), detail::block, 0, queue.stream()>>>(
      constants, step, count, searches.data, searches.size());
  check(cudaGetLastError(), "launching start_searches");
}

/// Ends a round with the counts (images, QuantileSearch::statistics · digits) of all magnitudes.
inline void narrow_searches(Queue& queue, In<double, 2> counts, const View<QuantileSearch, 1>& searches) {
  if (searches.empty()) return;
  kernels::narrow_searches<<<detail::blocks_of(searches), detail::block, 0, queue.stream()>>>(
      counts.data, counts.stride[0], searches.data, searches.size());
  check(cudaGetLastError(), "launching narrow_searches");
}

/// Advances the state x by one step; `estimate` holds the estimate of the step before, and then this one's.
/// `constants` (steps, SamplerStep::constants); `noise` (tokens, images, features), or empty if no step
/// adds any, or (steps, tokens, images, features); `searches` are done, one an image, or null if no step
/// has a quantile.
inline void denoise(Queue& queue, In<float, 2> constants, Step step, In<float, 3> output, In<float, 4> noise,
                    const QuantileSearch* searches, const View<float, 3>& x, const View<float, 3>& estimate) {
  detail::for_each_number(
      queue, "denoise", 5, x,
      kernels::Denoise<SamplerStep>{constants, step, output, noise, searches, x, estimate});
}

}  // namespace weft::inline v0_1::cuda
