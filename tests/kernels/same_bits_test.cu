// Kernels of sm_90a give the same bits in every call: a thread that reads shared memory too late, or too
// early, shows in one call of hundreds.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "device_array.cuh"
#include "weft/attention.cuh"
#include "weft/head_product.cuh"
#include "weft/int8_attention.cuh"
#include "weft/product.cuh"

using namespace weft;
using kernels::check;
using kernels::sm90::TilingName;
using kernels::test::DeviceArray;
using E = __nv_bfloat16;

namespace {

constexpr Index head_dim = 88, images = 2, heads = 16, width = heads * head_dim;

template <class T = E>
DeviceArray<T> random_array(Index count, float range) {
  static std::minstd_rand bits(1);
  std::uniform_real_distribution<float> number(-range, range);
  std::vector<T> host(static_cast<std::size_t>(count));
  for (T& one : host) one = T(number(bits));
  DeviceArray<T> out(count);
  out.upload(host);
  return out;
}

/// Returns in how many of `calls` calls of write(out) the `size` numbers at `out` are others than in the
/// first.
template <class Write>
Index differing(Index size, int calls, const Write& write) {
  const DeviceArray<E> first(size), out(size);
  DeviceArray<int> differs(calls);
  differs.fill(0);
  const auto words = [](const DeviceArray<E>& numbers) {
    return reinterpret_cast<const std::uint32_t*>(numbers.get());
  };
  write(first.get());
  for (int call = 0; call < calls; ++call) {
    write(out.get());
    kernels::for_each_number(nullptr, size / 2, 1,
                             kernels::Differ{words(first), words(out), differs.get() + call});
  }
  check(cudaDeviceSynchronize(), "running a kernel many times");
  const std::vector<int> found = differs.download();
  return std::ranges::count(found, 1);
}

View<E, 4> heads_at(E* data, Index tokens) { return {data, {tokens, images, heads, head_dim}}; }

/// Attention of so many queries and keys.
struct Attention {
  Index queries, keys;
  DeviceArray<E> q = random_array(queries * images * width, 2), k = random_array(keys * images * width, 2),
                 v = random_array(keys * images * width, 1);

  /// Returns how many calls of attend(q, k, v, out) differ.
  template <class Attend>
  Index differing_calls(int calls, const Attend& attend) const {
    return differing(q.size(), calls, [&](E* out) {
      attend(View<const E, 4>(heads_at(q.get(), queries)), View<const E, 4>(heads_at(k.get(), keys)),
             View<const E, 4>(heads_at(v.get(), keys)), heads_at(out, queries));
    });
  }
  template <TilingName name>
  Index differing_calls(int calls) const {
    return differing_calls(calls, [](const auto& q, const auto& k, const auto& v, const auto& out) {
      kernels::attention_with<head_dim, name, E>(nullptr, q, k, v, out);
    });
  }
};

/// The memory and operands of products: rows × depth → outputs.
struct Operands {
  Index rows, depth, outputs;
  DeviceArray<E> x = random_array(rows * depth, 1), weight = random_array(outputs * depth, 0.05f),
                 bias = random_array(outputs, 1);
  DeviceArray<float> sums{static_cast<Index>(kernels::partial_sums_bytes() / sizeof(float))};
  DeviceArray<unsigned> counts{static_cast<Index>(kernels::partial_counts())};

  Operands(Index r, Index d, Index o) : rows(r), depth(d), outputs(o) { counts.fill(0); }

  kernels::PartialSums partial() const { return {sums.get(), counts.get()}; }

  Index differing_calls(int calls, const kernels::Finish<E>& finish) const {
    return differing(rows * outputs, calls, [&](E* out) {
      kernels::product<E, E>(nullptr,
                             {View<const E, 3>(x.get(), {1, rows, depth}),
                              View<const E, 3>(weight.get(), {1, outputs, depth}),
                              {},
                              finish,
                              View<E, 3>(out, {1, rows, outputs})},
                             partial());
    });
  }
};

bool has_kernels() { return kernels::current_tier() == kernels::Tier::sm90a; }

}  // namespace

TEST_CASE("the same bits in every call: attention, by each tiling") {
  if (!has_kernels()) return;
  using enum TilingName;
  const Attention of_text{16384, 333}, of_image{2048, 2048}, of_few{256, 2048};
  CHECK(of_text.differing_calls<resident>(1500) == 0);
  CHECK(of_text.differing_calls<narrow>(500) == 0);
  CHECK(of_image.differing_calls<wide>(500) == 0);
  CHECK(of_image.differing_calls<tall>(500) == 0);
  CHECK(of_few.differing_calls<split>(1000) == 0);
  CHECK(of_few.differing_calls<tall_split>(1000) == 0);
}

TEST_CASE("the same bits in every call: attention in int8") {
  if (!has_kernels()) return;
  const Attention attention{2048, 2048};
  const DeviceArray<std::byte> room(
      static_cast<Index>(kernels::Int8Keys::room_for(View<const E, 4>(heads_at(attention.k.get(), 2048)))));
  CHECK(attention.differing_calls(500, [&](const auto& q, const auto& k, const auto& v, const auto& out) {
    kernels::int8_attention<head_dim, E, E>(nullptr, q, k, v, Stretches<E, 4>(out), {}, Output::replace,
                                            room.get());
  }) == 0);
}

TEST_CASE("the same bits in every call: products") {
  if (!has_kernels()) return;
  const Operands down(8192, 1408, 1408), up(4096, 1408, 6144), few(1024, 6144, 1408);
  const DeviceArray<E> residual = random_array(8192 * 1408, 1);
  const DeviceArray<float> gates = random_array<float>(images * 1408, 1);
  const kernels::Finish<E> gated{.bias = down.bias.get(),
                                 .gate = {gates.get(), 0, 1408, images, {}},
                                 .residual = View<const E, 3>(residual.get(), {1, 8192, 1408})};
  CHECK(down.differing_calls(2000, gated) == 0);
  CHECK(up.differing_calls(1000, {.bias = up.bias.get(), .activation = Activation::gelu_tanh}) == 0);
  CHECK(few.differing_calls(2000, {.bias = few.bias.get(),
                                   .residual = View<const E, 3>(residual.get(), {1, 1024, 1408})}) == 0);
}

TEST_CASE("the same bits in every call: products of heads") {
  if (!has_kernels()) return;
  constexpr Index tokens = 4096;
  const Operands qkv(tokens * images, 1408, 3 * width);
  const DeviceArray<float> angles = random_array<float>(tokens * head_dim, 1);
  kernels::HeadChange change{.norms = true, .rotates = true};
  change.angles = {angles.get(), angles.get(), head_dim, head_dim};
  CHECK(differing(qkv.rows * qkv.outputs, 500, [&](E* out) {
          const kernels::HeadRows<E> rows{View<E, 2>(out, {qkv.rows, qkv.outputs}), images};
          std::vector<kernels::HeadMove<E>> moves;
          for (const Index first : {Index{0}, width}) {
            const View<E, 4> part = View<E, 3>(out, {tokens, images, qkv.outputs})
                                        .slice<2>({first, first + width})
                                        .unfold(head_dim);
            moves.push_back({View<const E, 4>(part), part, change});
          }
          kernels::head_product<head_dim, E, E>(
              nullptr,
              {View<const E, 2>(qkv.x.get(), {qkv.rows, qkv.depth}),
               View<const E, 2>(qkv.weight.get(), {qkv.outputs, qkv.depth}), nullptr, qkv.bias.get(), rows},
              *kernels::head_destinations<E>(rows, moves), qkv.partial());
        }) == 0);
}
