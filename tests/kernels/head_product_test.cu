// Products of heads against float64, on GPUs that have the kernel.
#include "weft/head_product.cuh"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "device_array.cuh"

using namespace weft;
using kernels::check;
using kernels::test::DeviceArray;

namespace {

template <class T>
std::vector<T> random_numbers(Index count, float range) {
  static std::minstd_rand bits(1);
  std::normal_distribution<float> normal(0, range);
  std::vector<T> out(static_cast<std::size_t>(count));
  for (T& number : out) number = T(normal(bits));
  return out;
}

/// Numbers on the device and on the host.
template <class T>
struct Both {
  std::vector<T> host;
  DeviceArray<T> device;

  explicit Both(std::vector<T> numbers) : host(std::move(numbers)), device(static_cast<Index>(host.size())) {
    device.upload(host);
  }
  double at(Index i) const {
    return static_cast<double>(static_cast<float>(host[static_cast<std::size_t>(i)]));
  }
};

enum class Norm { none, layer, rms };

struct Case {
  Index tokens, images, depth, heads, key_heads, ranks;
  Norm norm;
  bool rotates, bias;
  Index split = 0;     // tokens that moves of their own take
  bool stays = false;  // all in the output: of one rank, not split
};

/// Computes projected queries, keys and values, whose heads go to the memory of ranks.
template <int head_dim, class Operand, class E>
void compare(const Case& c) {
  CAPTURE(head_dim);
  CAPTURE(c.tokens);
  CAPTURE(c.images);
  CAPTURE(c.depth);
  CAPTURE(c.ranks);
  const Index rows = c.tokens * c.images, heads = c.heads + 2 * c.key_heads, outputs = heads * head_dim;
  const Both x(random_numbers<Operand>(rows * c.depth, 1)),
      weight(random_numbers<Operand>(outputs * c.depth, 1 / std::sqrt(static_cast<float>(c.depth))));
  const Both bias(random_numbers<E>(outputs, 1));
  const Both scale(random_numbers<float>(1, 1)), norm_scale(random_numbers<float>(head_dim, 1)),
      norm_shift(random_numbers<float>(head_dim, 1));
  std::vector<float> angles = random_numbers<float>(c.tokens * head_dim, 1), sines = angles;
  for (float& angle : angles) angle = std::cos(angle);
  for (float& angle : sines) angle = std::sin(angle);
  const Both cos(std::move(angles)), sin(std::move(sines));
  const float epsilon = 1e-5f;

  // The output itself, which is not written: its addresses are what moves name.
  const DeviceArray<E> product(rows * outputs);
  const View<E, 4> all = View<E, 3>(product.get(), {c.tokens, c.images, outputs}).unfold(Index{head_dim});
  struct Moved {
    Index token, head, count;  // the first, and heads
    bool changes;
    DeviceArray<E> to;
  };
  std::vector<Moved> moved;
  std::vector<kernels::HeadMove<E>> moves;
  const auto move = [&](Range tokens, Range some, bool changes) {
    if (tokens.empty() || some.empty()) return;
    moved.push_back({tokens.begin, some.begin, some.size(), changes,
                     DeviceArray<E>(tokens.size() * c.images * some.size() * head_dim)});
    kernels::HeadChange change{};
    if (changes) {
      change = {c.norm != Norm::none, c.rotates, c.norm == Norm::layer};
      if (c.norm != Norm::none) change.scale = norm_scale.device.get();
      if (c.norm == Norm::layer) change.shift = norm_shift.device.get();
      change.epsilon = epsilon;
      if (c.rotates)
        change.angles = {cos.device.get() + tokens.begin * head_dim,
                         sin.device.get() + tokens.begin * head_dim, head_dim, head_dim};
    }
    const View<E, 4> from = all.template slice<0>(tokens).template slice<2>(some),
                     to(moved.back().to.get(), {tokens.size(), c.images, some.size(), head_dim});
    moves.push_back({View<const E, 4>(from), c.stays ? from : to, change});
  };
  for (Index rank = 0; rank < c.ranks; ++rank)
    for (const Range tokens : {Range{0, c.split}, Range{c.split, c.tokens}}) {
      const auto share = [&](Index first, Index count) {
        return Range{first + count * rank / c.ranks, first + count * (rank + 1) / c.ranks};
      };
      move(tokens, share(0, c.heads), true);
      move(tokens, share(c.heads, c.key_heads), true);
      move(tokens, share(c.heads + c.key_heads, c.key_heads), false);
    }

  const kernels::HeadProductArguments<Operand, E> arguments{
      View<const Operand, 2>(x.device.get(), {rows, c.depth}),
      View<const Operand, 2>(weight.device.get(), {outputs, c.depth}),
      sizeof(Operand) == 1 ? scale.device.get() : nullptr, c.bias ? bias.device.get() : nullptr,
      kernels::HeadRows<E>{View<E, 2>(product.get(), {rows, outputs}), c.images}};
  REQUIRE(kernels::takes_head_product(arguments));
  if (c.stays) moves.pop_back();  // that of the values, which stay without one
  const auto destinations = kernels::head_destinations<E>(arguments.rows, moves);
  REQUIRE(destinations);
  const DeviceArray<float> sums(static_cast<Index>(kernels::partial_sums_bytes() / sizeof(float)));
  DeviceArray<unsigned> counts(static_cast<Index>(kernels::partial_counts()));
  counts.fill(0);
  kernels::head_product<head_dim, Operand, E>(nullptr, arguments, *destinations, {sums.get(), counts.get()});
  check(cudaDeviceSynchronize(), "running a product of heads");

  if (c.stays)
    for (const Moved& part : moved) {
      const std::size_t width = sizeof(E) * static_cast<std::size_t>(part.count * head_dim);
      check(cudaMemcpy2D(part.to.get(), width, product.get() + part.head * head_dim, sizeof(E) * outputs,
                         width, rows, cudaMemcpyDeviceToDevice),
            "copying what stayed");
    }
  double worst = 0;
  for (const Moved& part : moved) {
    const std::vector<E> found = part.to.download();
    const Index tokens = static_cast<Index>(found.size()) / (c.images * part.count * head_dim);
    // Some tokens are enough: the first, the last and every 37th.
    for (Index t = 0; t < tokens; t += t + 37 < tokens || t == tokens - 1 ? 37 : tokens - 1 - t)
      for (Index image = 0; image < c.images; ++image)
        for (Index h = 0; h < part.count; ++h) {
          const Index token = part.token + t, row = token * c.images + image;
          std::vector<double> head(head_dim);
          double mean = 0, square = 0;
          for (Index i = 0; i < head_dim; ++i) {
            const Index output = (part.head + h) * head_dim + i;
            for (Index k = 0; k < c.depth; ++k)
              head[i] += x.at(row * c.depth + k) * weight.at(output * c.depth + k);
            if (sizeof(Operand) == 1) head[i] *= scale.at(0);
            if (c.bias) head[i] += bias.at(output);
            mean += head[i] / head_dim;
          }
          if (part.changes && c.norm != Norm::none) {
            if (c.norm == Norm::rms) mean = 0;
            for (double& number : head) square += (number - mean) * (number - mean) / head_dim;
            for (Index i = 0; i < head_dim; ++i)
              head[i] = (head[i] - mean) / std::sqrt(square + epsilon) * norm_scale.at(i) +
                        (c.norm == Norm::layer ? norm_shift.at(i) : 0);
          }
          if (part.changes && c.rotates)
            for (Index i = 0; i < head_dim; i += 2) {
              const Index at = token * head_dim + i;
              const double even = head[i], odd = head[i + 1];
              head[i] = cos.at(at) * even - sin.at(at) * odd;
              head[i + 1] = cos.at(at + 1) * odd + sin.at(at + 1) * even;
            }
          for (Index i = 0; i < head_dim; ++i) {
            const Index at = ((t * c.images + image) * part.count + h) * head_dim + i;
            const double is = static_cast<double>(static_cast<float>(found[static_cast<std::size_t>(at)]));
            worst = std::max(worst, std::abs(is - head[i]) / (1 + std::abs(head[i])));
          }
        }
  }
  CHECK(worst < (sizeof(Operand) == 1 ? 6e-2 : std::is_same_v<E, __half> ? 5e-3 : 4e-2));
  for (const unsigned count : counts.download()) REQUIRE(count == 0);
}

const std::vector<Case> cases{
    {.tokens = 64, .images = 1, .depth = 64, .heads = 2, .key_heads = 2, .ranks = 1, .norm = Norm::none},
    {.tokens = 333,
     .images = 2,
     .depth = 1408,
     .heads = 16,
     .key_heads = 16,
     .ranks = 2,
     .norm = Norm::layer,
     .rotates = true,
     .bias = true},
    {.tokens = 1001,
     .images = 1,
     .depth = 320,
     .heads = 6,
     .key_heads = 6,
     .ranks = 3,
     .norm = Norm::rms,
     .rotates = true,
     .bias = true,
     .split = 77},
    {.tokens = 515,
     .images = 3,
     .depth = 208,
     .heads = 5,
     .key_heads = 5,
     .ranks = 2,
     .norm = Norm::rms,
     .bias = true,
     .split = 9},
    {.tokens = 700,
     .images = 2,
     .depth = 128,
     .heads = 7,
     .key_heads = 7,
     .ranks = 4,
     .norm = Norm::none,
     .bias = true},
    {.tokens = 1,
     .images = 1,
     .depth = 16,
     .heads = 8,
     .key_heads = 2,
     .ranks = 2,
     .norm = Norm::layer,
     .rotates = true},
    {.tokens = 130,
     .images = 2,
     .depth = 96,
     .heads = 3,
     .key_heads = 3,
     .ranks = 1,
     .norm = Norm::rms,
     .rotates = true,
     .bias = true,
     .stays = true},
    {.tokens = 2048,
     .images = 2,
     .depth = 64,
     .heads = 24,
     .key_heads = 24,
     .ranks = 8,
     .norm = Norm::layer,
     .rotates = true,
     .bias = true},
};

bool has_kernel() { return kernels::current_tier() == kernels::Tier::sm90a; }

template <class Operand, class E>
void compare_all() {
  if (!has_kernel()) return;
  for (const Case& c : cases) {
    compare<64, Operand, E>(c);
    compare<72, Operand, E>(c);
    compare<88, Operand, E>(c);
    compare<128, Operand, E>(c);
  }
}

}  // namespace

TEST_CASE("product of heads: against float64, of bfloat16") { compare_all<__nv_bfloat16, __nv_bfloat16>(); }
TEST_CASE("product of heads: against float64, of float16") { compare_all<__half, __half>(); }
TEST_CASE("product of heads: against float64, of e4m3") { compare_all<__nv_fp8_e4m3, __nv_bfloat16>(); }

TEST_CASE("product of heads: moves that it cannot make are told before it runs") {
  using E = __nv_bfloat16;
  E* const memory = reinterpret_cast<E*>(std::uintptr_t{1} << 20);  // nothing is read or written there
  const kernels::HeadRows<E> rows{View<E, 2>(memory, {60, 3 * 128}), 2};
  const View<E, 4> all = View<E, 3>(memory, {30, 2, 3 * 128}).unfold(64);
  E* const other = memory + (1 << 20);
  const auto has = [&rows](std::vector<kernels::HeadMove<E>> moves) {
    return kernels::head_destinations<E>(rows, moves).has_value();
  };
  const kernels::HeadMove<E> whole{View<const E, 4>(all), View<E, 4>(other, all.extent)};
  CHECK(has({whole}));
  CHECK(has({}));  // all stays
  CHECK(!has({whole, whole}));
  kernels::HeadMove<E> part = whole;
  part.from.extent[2] = part.to.extent[2] = 3;
  CHECK(has({part}));  // the rest stays
  kernels::HeadMove<E> rest = part;
  rest.from.data += 3 * 64;
  CHECK(has({part, rest}));
  kernels::HeadMove<E> elsewhere = whole;
  elsewhere.from.data = other;
  CHECK(!has({whole, elsewhere}));
  kernels::HeadMove<E> apart = whole;
  apart.to.stride[2] = 72;
  CHECK(!has({apart}));
  kernels::HeadMove<E> first = whole, second = whole;
  first.from.extent[0] = first.to.extent[0] = 10;
  CHECK(!has({first}));
  second.from.extent[0] = second.to.extent[0] = 20;
  second.from.data += 10 * second.from.stride[0];
  CHECK(has({first, second}));
  second.change.norms = true;
  CHECK(!has({first, second}));
}
