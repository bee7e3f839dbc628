// Loading of weights to a CUDA device.
#include <doctest/doctest.h>

#include <cstring>

#include "weft/backend/cuda/buffer.cuh"
#include "weft/backend/cuda/copy.cuh"
#include "weft/backend/cuda/loader.cuh"

using weft::Dtype;
using weft::Index;
using weft::Shape;
using weft::Tensor;
using weft::View;
using weft::cuda::Buffer;
using weft::cuda::Loader;
using weft::cuda::Queue;

namespace {

/// Returns the stored number i, which the format can represent.
float stored_number(Dtype dtype, Index i) {
  if (dtype == Dtype::boolean) return static_cast<float>(i % 2);
  const float least = dtype == Dtype::u8 ? 0 : dtype == Dtype::i8 ? -125 : -100;
  return static_cast<float>(i % 251) + least;
}

/// Returns `count` numbers as a file holds them, misaligned by one byte.
std::vector<std::byte> stored_as(Dtype dtype, Index count) {
  const std::size_t size = size_of(dtype);
  std::vector<std::byte> out(1 + static_cast<std::size_t>(count) * size);
  for (Index i = 0; i < count; ++i) {
    const float number = stored_number(dtype, i);
    const auto put = [&](const auto& value) {
      std::memcpy(&out[1 + static_cast<std::size_t>(i) * size], &value, sizeof value);
    };
    if (dtype == Dtype::f32) put(number);
    if (dtype == Dtype::f16) put(__half(number));
    if (dtype == Dtype::bf16) put(__nv_bfloat16(number));
    if (dtype == Dtype::f64) put(static_cast<double>(number));
    if (dtype == Dtype::i64) put(static_cast<std::int64_t>(number));
    if (dtype == Dtype::i32) put(static_cast<std::int32_t>(number));
    if (dtype == Dtype::i16) put(static_cast<std::int16_t>(number));
    if (dtype == Dtype::i8) put(static_cast<std::int8_t>(number));
    if (dtype == Dtype::u8 || dtype == Dtype::boolean) put(static_cast<std::uint8_t>(number));
  }
  return out;
}

template <class T>
void check_fill(Queue& queue, Dtype dtype) {
  constexpr Index rows = 5003, width = 1003;  // several pieces, of which the last is short
  const std::vector<std::byte> bytes = stored_as(dtype, rows * width);
  const Buffer<T> buffer(queue, rows * width);
  Loader loader(queue);
  loader.fill(weft::StoredNumbers{dtype, std::span(bytes).subspan(1)},
              buffer.view(std::array{Index{1}, rows, width}));
  loader.finish();
  const Tensor found = download(queue, buffer.view(std::array{rows * width}));
  Index wrong = 0;
  for (Index i = 0; i < found.size(); ++i)
    wrong += found.data[static_cast<std::size_t>(i)] != stored_number(dtype, i);
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("loader: numbers of every format are converted to elements and to float32") {
  Queue queue;
  for (const weft::DtypeTraits& traits : weft::all_dtypes) {
    if (!traits.is_readable) continue;
    const Dtype dtype = traits.dtype;
    CAPTURE(traits.name);
    check_fill<float>(queue, dtype);
    check_fill<__half>(queue, dtype);
    check_fill<__nv_bfloat16>(queue, dtype);
  }
}

TEST_CASE("loader: fills strided views") {
  Queue queue;
  const std::vector<std::byte> bytes = stored_as(Dtype::f16, 6);
  const Buffer<float> buffer(queue, 6);
  Loader loader(queue);
  loader.fill(weft::StoredNumbers{Dtype::f16, std::span(bytes).subspan(1)},
              View<float, 3>(buffer.view(std::array{Index{6}}).data, {3, 2, 1}, {1, 3, 1}));
  loader.finish();
  CHECK(download(queue, buffer.view(std::array{Index{6}})).data ==
        std::vector<float>{-100, -98, -96, -99, -97, -95});
}

TEST_CASE("loader: random numbers equal the host's") {
  Queue queue;
  const weft::RandomNumbers numbers{.seed = 1, .stream = 2, .mean = 3, .deviation = 0.5f};
  constexpr Index rows = 300, width = 500;
  const Buffer<float> buffer(queue, rows * width);
  Loader loader(queue);
  loader.fill(numbers, buffer.view(std::array{Index{1}, rows, width}));
  loader.finish();
  const Tensor found = download(queue, buffer.view(std::array{rows * width}));
  for (Index i = 0; i < found.size(); ++i)
    CHECK(std::abs(found.data[static_cast<std::size_t>(i)] -
                   weft::drawn(numbers, static_cast<std::uint64_t>(i))) < 1e-5f);
}

TEST_CASE("loader: products of low rank are added as on the host") {
  Queue queue;
  constexpr Index rows = 3000, width = 1003, rank = 3;  // several pieces of whole rows
  const std::vector<std::byte> bytes = stored_as(Dtype::f16, rows * width);
  std::vector<float> up(rows * rank), down(rank * width);
  for (std::size_t i = 0; i < up.size(); ++i) up[i] = static_cast<float>(i % 7) - 3;
  for (std::size_t i = 0; i < down.size(); ++i) down[i] = static_cast<float>(i % 5) - 2;
  const weft::MergedNumbers numbers({Dtype::f16, std::span(bytes).subspan(1)},
                                    {{up.data(), down.data(), rank, width, 0.5f}});
  const Buffer<float> buffer(queue, rows * width);
  Loader loader(queue);
  loader.fill(numbers, buffer.view(std::array{Index{1}, rows, width}));
  loader.finish();
  std::vector<float> wanted(rows * width);
  numbers.copy(0, rows * width, wanted.data());
  CHECK(download(queue, buffer.view(std::array{rows * width})).data == wanted);
}
