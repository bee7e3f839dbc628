// Linear layers in e4m3 against float64.
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/copy.cuh"
#include "weft/backend/cuda/e4m3.cuh"

using weft::Activation;
using weft::Index;
using weft::LinearWeights;
using weft::Tensor;
using weft::View;
using weft::cuda::Buffer;
using weft::cuda::Queue;
using Bf16 = __nv_bfloat16;
using E4m3 = __nv_fp8_e4m3;

namespace {

/// Returns random numbers that bfloat16 represents.
Tensor random_tensor(weft::Shape shape, float deviation) {
  static std::mt19937 bits(1);
  std::normal_distribution<float> normal(0, deviation);
  Tensor out(std::move(shape));
  for (float& number : out.data) number = static_cast<float>(Bf16(normal(bits)));
  return out;
}

Tensor to_e4m3(Tensor x) {
  for (float& number : x.data) number = static_cast<float>(E4m3(number));
  return x;
}

/// A (rows, features) matrix on the device, whose rows are `wider` times their length apart.
template <class T>
struct Rows {
  Buffer<T> buffer;
  View<T, 2> view;

  Rows(Queue& queue, Index rows, Index features, Index wider = 1)
      : buffer(queue, rows * features * wider),
        view(buffer.view(std::array{rows, features * wider}).template slice<1>({0, features})) {}
  Rows(Queue& queue, const Tensor& x, Index wider = 1) : Rows(queue, x.shape[0], x.shape[1], wider) {
    const Buffer<float> dense(queue, x.size());
    upload(queue, x, dense.view(std::array{x.size()}));
    copy(queue, View<const float, 2>(dense.view(std::array{x.shape[0], x.shape[1]})), view);
    queue.synchronize();
  }
};

double relative_l2(const Tensor& found, const std::vector<double>& right) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    difference += std::pow(found.data[i] - right[i], 2);
    norm += right[i] * right[i];
  }
  return std::sqrt(difference / norm);
}

double gelu(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

/// A layer in bfloat16 and quantized to e4m3.
struct Layer {
  Tensor weight, bias;
  Rows<Bf16> wide;
  Rows<E4m3> narrow;
  Buffer<Bf16> bias_numbers;
  Buffer<float> scale;

  Layer(Queue& queue, Index inputs, Index outputs)
      : weight(random_tensor({outputs, inputs}, 1 / std::sqrt(static_cast<float>(inputs)))),
        bias(random_tensor({outputs}, 0.5f)),
        wide(queue, weight),
        narrow(queue, outputs, inputs),
        bias_numbers(queue, outputs),
        scale(queue, 1) {
    upload(queue, bias, bias_numbers.view(std::array{outputs}));
    narrow_weights(queue, wide.view, narrow.view, scale.view(std::array{Index{1}}));
  }

  LinearWeights<Bf16, E4m3> weights() const {
    return {narrow.view, bias_numbers.view(std::array{bias.size()}), scale.view(std::array{Index{1}})};
  }

  /// Returns times · x · weightᵀ + bias, with other weights of the same shape.
  std::vector<double> product(const Tensor& x, const Tensor& weights, double times = 1) const {
    const Index rows = x.shape[0], inputs = x.shape[1], outputs = bias.size();
    std::vector<double> out;
    for (Index row = 0; row < rows; ++row)
      for (Index o = 0; o < outputs; ++o) {
        double sum = 0;
        for (Index i = 0; i < inputs; ++i)
          sum += static_cast<double>(x.view<2>()[row][i]) * weights.view<2>()[o][i];
        out.push_back(sum * times + bias.view<1>()[o]);
      }
    return out;
  }
};

struct Extents {
  Index rows, inputs, outputs;
};
constexpr Extents layers[] = {{200, 1408, 64}, {37, 176, 528}, {1, 16, 16}};

}  // namespace

TEST_CASE("weights are quantized with the scale that maps the largest to 448") {
  Queue queue;
  const Layer layer(queue, 176, 528);
  float largest = 0;
  for (const float number : layer.weight.data) largest = std::max(largest, std::abs(number));
  const float scale = download(queue, layer.scale.view(std::array{Index{1}})).data[0];
  CHECK(scale == largest / 448);
  const Tensor narrow = download(queue, layer.narrow.view);
  Index wrong = 0;
  for (std::size_t i = 0; i < narrow.data.size(); ++i) {
    const float right = layer.weight.data[i];
    const float half_step = std::max(std::abs(right) / 16, scale / 1024) * 1.0001f;
    wrong += std::abs(narrow.data[i] * scale - right) > half_step;
  }
  CHECK(wrong == 0);

  Rows<Bf16> zeros(queue, 16, 16);
  Rows<E4m3> none(queue, 16, 16);
  const Buffer<float> one(queue, 1);
  narrow_weights(queue, zeros.view, none.view, one.view(std::array{Index{1}}));
  CHECK(download(queue, one.view(std::array{Index{1}})).data[0] == 1);
}

TEST_CASE("FP8 layers of widths that are no multiples of 16 are rejected") {
  Queue queue;
  const Rows<Bf16> wide(queue, 16, 24);
  const Rows<E4m3> narrow(queue, 16, 24);
  const Buffer<float> scale(queue, 1);
  CHECK_THROWS_WITH_AS(narrow_weights(queue, wide.view, narrow.view, scale.view(std::array{Index{1}})),
                       "the model has a linear layer of 24 → 16 features; FP8 needs multiples of 16, and "
                       "bfloat16 takes any",
                       weft::InvalidArgument);
}

TEST_CASE("rows are converted to e4m3 in place and saturate") {
  Queue queue;
  for (const Index features : {8, 16, 176, 1408, 1536, 1544, 6144}) {
    CAPTURE(features);
    Tensor x = random_tensor({37, features}, 2);
    x.data[3] = 1000;
    x.data[4] = -10000;
    const Rows<Bf16> rows(queue, x);
    const View<E4m3, 2> out = weft::as_operands<E4m3>(rows.view);
    narrow(queue, rows.view, out);
    const Tensor found = download(queue, out);
    CHECK(found.data == to_e4m3(x).data);
    CHECK(found.data[3] == 448);
    CHECK(found.data[4] == -448);
  }
}

TEST_CASE("a trace counts the inputs of FP8 layers that saturate") {
  weft::Lane lane;
  {
    Queue queue(&lane);
    Tensor x = random_tensor({32, 64}, 2);
    x.data[3] = 1000;
    x.data[70] = -448;
    const Layer layer(queue, 16, 64);
    const Rows<Bf16> wide(queue, x), out(queue, 32, 16);
    const Rows<E4m3> rows(queue, 32, 64);
    narrow(queue, wide.view, rows.view);
    for (int i = 0; i < 2; ++i) linear(queue, View<const E4m3, 2>(rows.view), layer.weights(), out.view);
  }
  CHECK(lane.saturation().inputs == 2 * 32 * 64);
  CHECK(lane.saturation().saturated == 4);
}

TEST_CASE("norms round their output to the nearest e4m3 number") {
  Queue queue;
  for (const Index features : {64, 1408}) {
    const Index rows = 10;
    const Rows<Bf16> x(queue, random_tensor({rows, features}, 3)),
        y(queue, random_tensor({rows, features}, 1));
    const Tensor scale = random_tensor({2 * features}, 1), shift = random_tensor({2 * features}, 1);
    const Buffer<float> scales(queue, 2 * features), shifts(queue, 2 * features);
    upload(queue, scale, scales.view(std::array{2 * features}));
    upload(queue, shift, shifts.view(std::array{2 * features}));
    const auto check = [&](Index width, const auto& run) {
      const weft::NormWeights weights{.scale = scales.view(std::array{width}),
                                      .shift = shifts.view(std::array{width})};
      const Rows<Bf16> elements(queue, rows, width);
      const Rows<E4m3> operands(queue, rows, width, 2);
      run(weights, elements.view);
      run(weights, operands.view);
      const Tensor right = download(queue, elements.view), found = download(queue, operands.view);
      Index wrong = 0;
      for (std::size_t i = 0; i < right.data.size(); ++i) {
        const float half_step = std::max(std::abs(right.data[i]) / 16, 1.0f / 1024);
        wrong += std::abs(found.data[i] - right.data[i]) > half_step * 1.07f;  // right is rounded too
      }
      CHECK(wrong == 0);
    };
    const auto as_tokens = [](const auto& matrix) {
      return matrix.unfold(matrix.extent[1]);  // (rows, 1, features)
    };
    check(features, [&](const weft::NormWeights& weights, const auto& out) {
      norm(queue, as_tokens(x.view), weights, {}, as_tokens(out));
    });
    check(2 * features, [&](const weft::NormWeights& weights, const auto& out) {
      norm_pair(queue, as_tokens(x.view), as_tokens(y.view), weights, as_tokens(out));
    });
  }
}

TEST_CASE("a product in e4m3 equals that of its quantized operands, and is near that of the originals") {
  Queue queue;
  for (const auto& [rows, inputs, outputs] : layers) {
    CAPTURE(inputs);
    const Layer layer(queue, inputs, outputs);
    const Tensor x = random_tensor({rows, inputs}, 1);
    const Rows<E4m3> operands(queue, to_e4m3(x), 2);
    const Rows<Bf16> out(queue, rows, outputs);
    linear(queue, operands.view, layer.weights(), out.view);
    const Tensor found = download(queue, out.view);
    const float scale = download(queue, layer.scale.view(std::array{Index{1}})).data[0];
    const Tensor narrow = download(queue, layer.narrow.view);
    CHECK(relative_l2(found, layer.product(to_e4m3(x), narrow, scale)) <= 4e-3);
    CHECK(relative_l2(found, layer.product(x, layer.weight)) <= 6e-2);

    const Tensor residual = random_tensor({rows, outputs}, 3);
    const Rows<Bf16> sum(queue, residual);
    linear(queue, operands.view, layer.weights(), sum.view, {Activation::none, sum.view});
    auto right = layer.product(to_e4m3(x), narrow, scale);
    for (std::size_t i = 0; i < right.size(); ++i) right[i] += residual.data[i];
    CHECK(relative_l2(download(queue, sum.view), right) <= 5e-3);
  }
}

TEST_CASE("a linear layer with GELU writes e4m3") {
  Queue queue;
  for (const auto& [rows, inputs, outputs] : layers) {
    CAPTURE(inputs);
    const Layer layer(queue, inputs, outputs);
    const Tensor x = random_tensor({rows, inputs}, 1);
    const Rows<E4m3> operands(queue, to_e4m3(x), 2), out(queue, rows, outputs, 2);
    linear(queue, operands.view, layer.weights(), out.view, {Activation::gelu_tanh, {}});
    const float scale = download(queue, layer.scale.view(std::array{Index{1}})).data[0];
    const Tensor narrow = download(queue, layer.narrow.view), found = download(queue, out.view);
    auto right = layer.product(to_e4m3(x), narrow, scale);
    for (double& number : right) number = gelu(number);
    CHECK(relative_l2(found, right) <= 4e-2);
  }
}

TEST_CASE("products in e4m3 give the same bits every time") {
  Queue queue, other;
  const Layer layer(queue, 1408, 1408);
  const Rows<E4m3> x(queue, to_e4m3(random_tensor({300, 1408}, 1)), 2);
  const Rows<Bf16> out(queue, 300, 1408);
  linear(queue, x.view, layer.weights(), out.view);
  const Tensor first = download(queue, out.view);
  linear(other, x.view, layer.weights(), out.view);
  CHECK(download(other, out.view).data == first.data);
}
