// Linear layers on a CUDA device against float64, with operands that are less aligned than cudaMalloc's
// memory.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/copy.cuh"
#include "weft/backend/cuda/linear.cuh"

using weft::Activation;
using weft::Index;
using weft::Range;
using weft::Tensor;
using weft::View;
using weft::cuda::Alignments;
using weft::cuda::Buffer;
using weft::cuda::Matmul;
using weft::cuda::Operands;
using weft::cuda::Queue;

namespace {

/// Returns random numbers that the type represents.
template <class E>
Tensor random_tensor(Index rows, Index features) {
  static std::mt19937 bits(1);
  std::normal_distribution<float> normal;
  Tensor out({rows, features});
  for (float& number : out.data) number = static_cast<float>(E(normal(bits)));
  return out;
}

/// A (rows, features) matrix on the device, behind rows that are not its own.
template <class E>
struct Rows {
  Buffer<E> buffer;
  View<E, 2> view;

  Rows(Queue& queue, Index before, Index rows, Index features)
      : buffer(queue, (before + rows) * features),
        view(buffer.view(std::array{before + rows, features}).template slice<0>({before, before + rows})) {}
  Rows(Queue& queue, Index before, const Tensor& x) : Rows(queue, before, x.shape[0], x.shape[1]) {
    const Buffer<float> dense(queue, x.size());
    const View<float, 2> all = dense.view(std::array{x.shape[0], x.shape[1]});
    upload(queue, x, all);
    copy(queue, View<const float, 2>(all), view);
    queue.synchronize();
  }
};

/// Returns x · weightᵀ + bias + residual.
std::vector<double> expected(const Tensor& x, const Tensor& weight, const Tensor& bias,
                             const Tensor& residual) {
  const Index rows = x.shape[0], inputs = x.shape[1], outputs = weight.shape[0];
  std::vector<double> out;
  for (Index row = 0; row < rows; ++row)
    for (Index output = 0; output < outputs; ++output) {
      double sum = static_cast<double>(bias.data[static_cast<std::size_t>(output)]) +
                   residual.data[static_cast<std::size_t>(row * outputs + output)];
      for (Index i = 0; i < inputs; ++i)
        sum += static_cast<double>(x.data[static_cast<std::size_t>(row * inputs + i)]) *
               weight.data[static_cast<std::size_t>(output * inputs + i)];
      out.push_back(sum);
    }
  return out;
}

double relative_l2(const Tensor& found, const std::vector<double>& right) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    difference += std::pow(found.data[i] - right[i], 2);
    norm += right[i] * right[i];
  }
  return std::sqrt(difference / norm);
}

struct Width {
  Index inputs, outputs;
};

/// Widths whose rows in bfloat16 are no multiples of 256 bytes, and some not of 16.
constexpr Width widths[] = {{1408, 1408}, {72, 40}, {44, 20}, {1400, 4200}, {22, 6}};

}  // namespace

TEST_CASE("linear on the device: an alignment is the power of two that divides the address") {
  const auto at = [](std::uintptr_t address) {
    return Alignments::of(reinterpret_cast<const void*>(address));
  };
  CHECK(at(0x1000) == 256);
  CHECK(at(0x1100) == 256);
  CHECK(at(0x1080) == 128);
  CHECK(at(0x10f0) == 16);
  CHECK(at(0x10fe) == 2);
}

/// First whole matrices, then rows of the same extents and strides at less aligned addresses, for which the
/// algorithm that was chosen before may be invalid.
TEST_CASE_TEMPLATE("linear on the device: rows may begin at any address", E, float, __nv_bfloat16) {
  Queue queue;
  const double bound = std::is_same_v<E, float> ? 1e-5 : 4e-3;
  for (const auto& [inputs, outputs] : widths) {
    const Tensor x = random_tensor<E>(96, inputs), weight = random_tensor<E>(outputs, inputs);
    const Tensor bias = random_tensor<E>(1, outputs), residual = random_tensor<E>(96, outputs);
    const std::vector<double> right = expected(x, weight, bias, residual);
    const Rows<E> b(queue, 0, bias);
    for (const Index before : {0, 1, 2, 7}) {
      CAPTURE(inputs);
      CAPTURE(before);
      const Rows<E> in(queue, before, x), w(queue, before, weight), added(queue, before, residual);
      const Rows<E> out(queue, before, 96, outputs);
      linear<E>(queue, in.view, {.weight = w.view, .bias = b.view[0]}, out.view,
                {Activation::none, added.view});
      CHECK(relative_l2(download(queue, out.view), right) < bound);
    }
  }
}

/// The heuristic is given the alignments of the operands.
TEST_CASE("linear on the device: every algorithm that the heuristic returns runs") {
  Queue queue;
  auto& products = queue.products();
  for (const auto& [inputs, outputs] : widths) {
    const Rows<__nv_bfloat16> x(queue, 1, 96, inputs), weight(queue, 1, outputs, inputs);
    const Rows<__nv_bfloat16> out(queue, 1, 96, outputs);
    const Matmul matmul(CUDA_R_16BF, CUDA_R_16BF, 96, inputs, outputs, inputs, inputs, outputs);
    const Operands operands{weight.view.data, x.view.data, nullptr, out.view.data};
    const auto candidates = matmul.candidates(products.handle(), Alignments(operands));
    CAPTURE(inputs);
    CHECK(candidates.size() > 0);
    for (const auto& algorithm : candidates)
      CHECK(matmul.run(products.handle(), queue.stream(), products.workspace(), operands, algorithm) ==
            CUBLAS_STATUS_SUCCESS);
    queue.synchronize();
  }
}

/// They are tried too.
TEST_CASE("linear on the device: variants of algorithms are right where they run") {
  Queue queue;
  auto& products = queue.products();
  using E = __nv_bfloat16;
  constexpr Index rows = 2048, inputs = 1408, outputs = 6144;
  const Rows<E> x(queue, 0, random_tensor<E>(rows, inputs)),
      weight(queue, 0, random_tensor<E>(outputs, inputs)), bias(queue, 0, random_tensor<E>(1, outputs)),
      out(queue, 0, rows, outputs);
  Matmul matmul(CUDA_R_16BF, CUDA_R_16BF, rows, inputs, outputs, inputs, inputs, outputs);
  matmul.set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_GELU_BIAS);
  const void* const data = bias.view.data;
  matmul.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, data);
  matmul.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(CUDA_R_16BF));
  const Operands operands{weight.view.data, x.view.data, nullptr, out.view.data};
  auto algorithms = matmul.candidates(products.handle(), Alignments(operands));
  const std::size_t known = algorithms.size();
  REQUIRE(known > 0);
  const auto result = [&](const auto& algorithm) -> Tensor {
    const auto status =
        matmul.run(products.handle(), queue.stream(), products.workspace(), operands, algorithm);
    return status == CUBLAS_STATUS_SUCCESS ? download(queue, out.view) : Tensor();
  };
  const Tensor first = result(algorithms.front());
  const std::vector<double> right(first.data.begin(), first.data.end());
  matmul.append_variants(products.handle(), algorithms);
  if (weft::kernels::current_tier() == weft::kernels::Tier::sm90a) CHECK(algorithms.size() > known);
  for (std::size_t i = known; i < algorithms.size(); ++i) {
    const Tensor found = result(algorithms[i]);
    if (!found.empty()) CHECK(relative_l2(found, right) < 4e-3);
  }
}

/// The product is larger than the memory for products whose output still holds the residual.
TEST_CASE("linear on the device: a residual in the output is added after an activation, in several parts") {
  Queue queue;
  using E = __nv_bfloat16;
  constexpr Index rows = 1100, inputs = 16, outputs = 8192;
  static_assert(rows * outputs * sizeof(E) > weft::cuda::Products::spare_bytes);
  const Rows<E> x(queue, 0, random_tensor<E>(rows, inputs)),
      weight(queue, 0, random_tensor<E>(outputs, inputs));
  const Tensor residual = random_tensor<E>(rows, outputs);
  const Rows<E> elsewhere(queue, 0, residual), in_place(queue, 0, residual), out(queue, 0, rows, outputs);
  linear<E>(queue, x.view, {.weight = weight.view}, out.view, {Activation::silu, elsewhere.view});
  linear<E>(queue, x.view, {.weight = weight.view}, in_place.view, {Activation::silu, in_place.view});
  const Tensor right = download(queue, out.view);
  CHECK(relative_l2(download(queue, in_place.view), {right.data.begin(), right.data.end()}) < 4e-3);
}
