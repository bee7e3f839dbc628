// Matrix products against float64, on GPUs that have the kernel.
#include "weft/product.cuh"

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
DeviceArray<T> random_array(Index count, float range) {
  static std::minstd_rand bits(1);
  std::normal_distribution<float> normal(0, range);
  std::vector<T> host(static_cast<std::size_t>(count));
  for (T& number : host) number = T(normal(bits));
  DeviceArray<T> out(count);
  out.upload(host);
  return out;
}

/// A product as device code reads it.
template <class Operand, class E>
struct Reference {
  kernels::RowsOf<const Operand, 3> x, weight;
  kernels::Tap taps[kernels::most_taps];
  kernels::Finish<E> finish;
  int inner, outputs;
  double* to;

  explicit Reference(const kernels::ProductArguments<Operand, E>& arguments, double* out)
      : x(arguments.x),
        weight(arguments.weight),
        finish(arguments.finish),
        inner(static_cast<int>(arguments.out.extent[1])),
        outputs(static_cast<int>(arguments.out.extent[2])),
        to(out) {
    std::copy(arguments.taps.begin(), arguments.taps.end(), taps);
  }

  /// Computes a number in float64.
  __device__ void operator()(Index pixel, int output) const {
    double sum = 0;
    for (int tap = 0; tap < weight.extent[0]; ++tap) {
      const Index row = pixel / inner + taps[tap].outer, column = pixel % inner + taps[tap].inner;
      if (row < 0 || row >= x.extent[0] || column < 0 || column >= x.extent[1]) continue;
      const Operand* const in = x.row(row * x.extent[1] + column);
      const Operand* const by = weight.row(static_cast<Index>(tap) * outputs + output);
      for (int k = 0; k < x.width; ++k)
        sum +=
            static_cast<double>(static_cast<float>(in[k])) * static_cast<double>(static_cast<float>(by[k]));
    }
    if (finish.scale) sum *= static_cast<double>(*finish.scale);
    if (finish.bias) sum += static_cast<double>(static_cast<float>(finish.bias[output]));
    if (finish.activation == Activation::gelu_tanh)
      sum = sum / 2 * (1 + tanh(0.7978845608 * (sum + 0.044715 * sum * sum * sum)));
    if (finish.gate.data) sum *= static_cast<double>(finish.gate.at(pixel % inner, output));
    if (finish.residual.data)
      sum += static_cast<double>(static_cast<float>(finish.residual.row(pixel)[output]));
    to[pixel * outputs + output] = sum;
  }
};

struct Case {
  Index outer, inner, depth, outputs, taps, images;
  bool bias, residual;
  Activation activation;
};

template <class Operand, class E>
void compare(const Case& c) {
  CAPTURE(c.outer);
  CAPTURE(c.inner);
  CAPTURE(c.depth);
  CAPTURE(c.outputs);
  CAPTURE(c.taps);
  CAPTURE(c.images);
  const Index numbers = c.outer * c.inner * c.outputs;
  const auto x = random_array<Operand>(c.outer * c.inner * c.depth, 1),
             weight = random_array<Operand>(c.taps * c.outputs * c.depth,
                                            1 / std::sqrt(static_cast<float>(c.taps * c.depth)));
  const auto bias = random_array<E>(c.outputs, 1);
  const auto gates = random_array<float>(2 * c.images * c.outputs, 1), scale = random_array<float>(1, 1);
  auto out = random_array<E>(numbers, 1);
  kernels::ProductArguments<Operand, E> arguments{
      View<const Operand, 3>(x.get(), {c.outer, c.inner, c.depth}),
      View<const Operand, 3>(weight.get(), {c.taps, c.outputs, c.depth}),
      {},
      {},
      View<E, 3>(out.get(), {c.outer, c.inner, c.outputs})};
  const int side = c.taps == 9 ? 3 : c.taps == 4 ? 2 : 1;
  for (int tap = 0; tap < c.taps; ++tap) arguments.taps[tap] = {tap / side - side / 2, tap % side - side / 2};
  if (sizeof(Operand) == 1) arguments.finish.scale = scale.get();
  if (c.bias) arguments.finish.bias = bias.get();
  arguments.finish.activation = c.activation;
  if (c.images > 0)
    arguments.finish.gate = {gates.get(), c.images * c.outputs, c.outputs, c.images, {nullptr, 1}};
  if (c.residual) arguments.finish.residual = View<const E, 3>(arguments.out);  // in place
  REQUIRE(kernels::takes_product(arguments));
  const DeviceArray<double> wanted(numbers);
  kernels::for_each_number(nullptr, c.outer * c.inner, c.outputs,
                           Reference<Operand, E>(arguments, wanted.get()));
  const DeviceArray<float> sums(static_cast<Index>(kernels::partial_sums_bytes() / sizeof(float)));
  DeviceArray<unsigned> counts(static_cast<Index>(kernels::partial_counts()));
  counts.fill(0);
  kernels::product(nullptr, arguments, {sums.get(), counts.get()});
  check(cudaDeviceSynchronize(), "running a product");
  for (const unsigned count : counts.download()) REQUIRE(count == 0);
  const std::vector<double> right = wanted.download();
  const std::vector<E> found = out.download();
  double worst = 0;
  for (std::size_t i = 0; i < right.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(static_cast<float>(found[i])) - right[i]) /
                                (1 + std::abs(right[i])));
  const double bound = sizeof(Operand) == 1        ? 2e-2  // its products are summed in fewer bits
                       : std::is_same_v<E, __half> ? 1.5e-3
                                                   : 6e-3;
  CHECK(worst < bound);
}

constexpr Activation none = Activation::none, gelu = Activation::gelu_tanh;

const std::vector<Case> cases{
    {1, 128, 64, 128, 1, 0, false, false, none},   {1, 1, 8, 8, 1, 0, true, false, none},
    {1, 300, 200, 328, 1, 2, true, true, none},    {1, 1000, 1408, 1408, 1, 3, true, true, gelu},
    {1, 257, 72, 192, 1, 16, false, true, none},   {1, 4301, 1160, 2440, 1, 2, true, true, none},
    {1, 40000, 64, 256, 1, 1, false, false, gelu}, {33, 47, 136, 264, 9, 0, true, true, none},
    {64, 64, 64, 128, 9, 0, true, false, none},    {5, 300, 16, 512, 4, 0, true, false, none},
    {120, 7, 40, 8, 9, 0, false, false, none},     {1, 20, 6144, 1408, 1, 5, true, true, none},
    {1, 20000, 64, 384, 1, 1, true, true, none},   {1, 40000, 64, 320, 1, 0, true, false, none},
    {1, 8192, 192, 2432, 1, 2, true, true, none},  {1, 9000, 128, 1408, 1, 2, true, true, none},
};

bool has_kernel() { return kernels::current_tier() == kernels::Tier::sm90a; }

}  // namespace

TEST_CASE_TEMPLATE("product: against float64, of half precision", E, __nv_bfloat16, __half) {
  if (!has_kernel()) return;
  for (const Case& c : cases) compare<E, E>(c);
}

TEST_CASE("product: against float64, of e4m3") {
  if (!has_kernel()) return;
  for (Case c : cases) {
    c.depth = (c.depth + 15) / 16 * 16;
    compare<__nv_fp8_e4m3, __nv_bfloat16>(c);
  }
}

TEST_CASE("product: what it does not take is told before it runs") {
  if (!has_kernel()) return;
  const DeviceArray<__nv_bfloat16> memory(1 << 16);
  const auto takes = [&memory](Index depth, Index outputs, Index shift, Activation activation) {
    using Rows = View<const __nv_bfloat16, 3>;
    kernels::ProductArguments<__nv_bfloat16, __nv_bfloat16> arguments{
        Rows(memory.get() + shift, {1, 16, depth}),
        Rows(memory.get(), {1, outputs, depth}),
        {},
        {.activation = activation},
        View<__nv_bfloat16, 3>(memory.get(), {1, 16, outputs})};
    return kernels::takes_product(arguments);
  };
  CHECK(takes(64, 64, 0, none));
  CHECK(!takes(60, 64, 0, none));
  CHECK(!takes(64, 60, 0, none));
  CHECK(!takes(64, 64, 1, none));
  CHECK(!takes(64, 64, 0, Activation::silu));
}
