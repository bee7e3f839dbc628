// Weights, converted from a file's numbers or drawn at random.
#pragma once

#include "weft/core/noise.hpp"
#include "weft/core/numbers.hpp"
#include "weft/elementwise.cuh"

namespace weft::inline v0_1::kernels {

/// Returns number `i` of a view, in row-major order.
template <class T>
__device__ T& number_of(const RowsOf<T, 3>& rows, Index i) {
  return rows.row(i / rows.width)[i % rows.width];
}

/// Converts dense stored numbers to those of the view from number `first` on.
template <class Stored, class T>
struct Unpack {
  const Stored* from;
  Index first;
  RowsOf<T, 3> to;

  __device__ void operator()(Index i, int) const {
    number_of(to, first + i) = static_cast<T>(static_cast<float>(from[i]));
  }
};

template <class T>
void unpack(cudaStream_t stream, Dtype dtype, const void* from, Index count, Index first,
            const View<T, 3>& to) {
  const auto launch = [&]<class Stored>() {
    for_each_number(stream, count, 1, Unpack<Stored, T>{static_cast<const Stored*>(from), first, to});
  };
  switch (dtype) {
    case Dtype::f32:
      return launch.template operator()<float>();
    case Dtype::f16:
      return launch.template operator()<__half>();
    case Dtype::bf16:
      return launch.template operator()<__nv_bfloat16>();
    case Dtype::f64:
      return launch.template operator()<double>();
    case Dtype::i64:
      return launch.template operator()<long long>();
    case Dtype::i32:
      return launch.template operator()<int>();
    case Dtype::i16:
      return launch.template operator()<short>();
    case Dtype::i8:
      return launch.template operator()<signed char>();
    case Dtype::u8:
      return launch.template operator()<unsigned char>();
    case Dtype::boolean:
      return launch.template operator()<bool>();
    default:
      check_readable(dtype, "what is to be unpacked");
  }
}

template <class T>
struct Draw {
  RandomNumbers numbers;
  MatrixPart part;
  RowsOf<T, 3> to;

  __device__ void operator()(Index row, int column) const {
    const Index i = part.row(row) + column;
    to.row(row)[column] = static_cast<T>(drawn(numbers, static_cast<std::uint64_t>(i)));
  }
};

}  // namespace weft::inline v0_1::kernels
