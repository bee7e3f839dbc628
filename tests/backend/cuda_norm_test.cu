// The norms on a CUDA device against those of the host, which have their own test.
#include <doctest/doctest.h>

#include <cmath>
#include <optional>

#include "weft/backend/cuda.cuh"
#include "weft/backend/host.hpp"
#include "weft/core/noise.hpp"

namespace {

using weft::Index;
using weft::Tensor;
using weft::View;

using Device = weft::Cuda<float>;

Tensor random(std::uint32_t stream, weft::Shape shape) {
  Tensor out(std::move(shape));
  for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] = 3 + weft::normal(1, stream, i);
  return out;
}

/// The same numbers on the host and on the device.
template <int Rank>
struct Both {
  Tensor host;
  Device::Buffer<float> device;

  Both(Device::Queue& queue, std::uint32_t stream, weft::Shape shape)
      : host(random(stream, std::move(shape))), device(queue, host.size()) {
    upload(queue, host, on_device());
  }

  View<float, Rank> on_host() { return host.view<Rank>(); }
  View<float, Rank> on_device() const { return {device.view(std::array{host.size()}).data, extents()}; }

  /// Relative L2 of what is on the device from what is on the host.
  double error(Device::Queue& queue) {
    const Tensor found = download(queue, on_device());
    double distance = 0, size = 0;
    for (std::size_t i = 0; i < found.data.size(); ++i) {
      distance += std::pow(found.data[i] - host.data[i], 2.0);
      size += std::pow(host.data[i], 2.0);
    }
    return std::sqrt(distance / size);
  }

 private:
  std::array<Index, Rank> extents() const {
    std::array<Index, Rank> out{};
    std::copy_n(host.shape.begin(), Rank, out.begin());
    return out;
  }
};

constexpr double tolerance = 5e-6;

}  // namespace

TEST_CASE("norm: rows of any width, each picture with its own modulation") {
  Device::Queue queue;
  weft::host::Queue host;
  for (const Index features : {13, 64, 1000, 1023, 1408, 2816})
    for (const Index tokens : {1, 7, 600})
      for (const Index pictures : {1, 3}) {
        CAPTURE(features);
        CAPTURE(tokens);
        CAPTURE(pictures);
        Both<3> x(queue, 0, {tokens, pictures, features}), out(queue, 1, {tokens, pictures, features});
        Both<1> scale(queue, 2, {features}), shift(queue, 3, {features});
        Both<3> more_scale(queue, 4, {2, pictures, features}), more_shift(queue, 5, {2, pictures, features});
        const weft::Step step{.ahead = 1};
        norm(host, x.on_host(), {scale.on_host(), shift.on_host()},
             {more_scale.on_host(), more_shift.on_host(), step}, out.on_host());
        norm(queue, x.on_device(), {scale.on_device(), shift.on_device()},
             {more_scale.on_device(), more_shift.on_device(), step}, out.on_device());
        CHECK(out.error(queue) <= tolerance);

        norm(host, x.on_host(), {}, {}, out.on_host());
        norm(queue, x.on_device(), {}, {}, out.on_device());
        CHECK(out.error(queue) <= tolerance);
      }
}

TEST_CASE("norm_pair: two tensors as one row") {
  Device::Queue queue;
  weft::host::Queue host;
  for (const Index features : {13, 1408}) {
    CAPTURE(features);
    Both<3> x(queue, 0, {70, 2, features}), skip(queue, 1, {70, 2, features}),
        out(queue, 2, {70, 2, 2 * features});
    Both<1> scale(queue, 3, {2 * features}), shift(queue, 4, {2 * features});
    norm_pair(host, x.on_host(), skip.on_host(), {scale.on_host(), shift.on_host()}, out.on_host());
    norm_pair(queue, x.on_device(), skip.on_device(), {scale.on_device(), shift.on_device()},
              out.on_device());
    CHECK(out.error(queue) <= tolerance);
  }
}

TEST_CASE("move_heads: q normed and rotated, k rotated, v copied, elsewhere or in place") {
  Device::Queue queue;
  weft::host::Queue host;
  for (const Index head_dim : {8, 48, 88, 128})
    for (const Index heads : {1, 5, 16})
      for (const Index tokens : {1, 130}) {
        CAPTURE(head_dim);
        CAPTURE(heads);
        CAPTURE(tokens);
        const weft::Shape shape{tokens, 3, heads, head_dim};
        Both<4> q(queue, 0, shape), k(queue, 1, shape), v(queue, 2, shape);
        Both<4> placed_q(queue, 3, shape), placed_k(queue, 4, shape), placed_v(queue, 5, shape);
        Both<1> scale(queue, 6, {head_dim}), shift(queue, 7, {head_dim});
        Both<2> cos(queue, 8, {tokens, head_dim}), sin(queue, 9, {tokens, head_dim});
        const weft::NormWeights host_norm{scale.on_host(), shift.on_host()},
            norm{scale.on_device(), shift.on_device()};
        const weft::Heads<float> host_heads{q.on_host(), k.on_host(), v.on_host(),
                                            &host_norm,  nullptr,     {cos.on_host(), sin.on_host()}};
        const weft::Heads<float> heads_here{q.on_device(), k.on_device(), v.on_device(),
                                            &norm,         nullptr,       {cos.on_device(), sin.on_device()}};
        move_heads(host, {host_heads.move_q(placed_q.on_host()), host_heads.move_k(placed_k.on_host()),
                          host_heads.move_v(placed_v.on_host())});
        move_heads<float>(queue,
                          {heads_here.move_q(placed_q.on_device()), heads_here.move_k(placed_k.on_device()),
                           heads_here.move_v(placed_v.on_device())});
        for (Both<4>* placed : {&placed_q, &placed_k, &placed_v}) CHECK(placed->error(queue) <= tolerance);

        move_heads(host, {host_heads.move_q(q.on_host()), host_heads.move_k(k.on_host())});
        move_heads<float>(queue, {heads_here.move_q(q.on_device()), heads_here.move_k(k.on_device())});
        for (Both<4>* in_place : {&q, &k, &v}) CHECK(in_place->error(queue) <= tolerance);
      }
}
