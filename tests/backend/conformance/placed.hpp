// Tensors in a backend's memory, with gaps between their rows.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numbers>
#include <random>
#include <type_traits>
#include <vector>

#include "weft/core/view.hpp"

namespace conformance {

using weft::Index;
using weft::View;

template <class T>
double number(T x) {
  if constexpr (std::is_same_v<T, double>) {
    return x;
  } else {
    return static_cast<float>(x);
  }
}

/// Returns the distance of 1 to the next number of T, or of float32.
template <class T>
double epsilon() {
  double out = 1;
  while (number(static_cast<T>(static_cast<float>(1 + out / 2))) != 1) out /= 2;
  return out;
}

/// The tolerance, relative to 1 + the expected magnitude, after a few roundings to T. In float32 that is room
/// for a sum of 72 products, which errs by up to 72 · 2⁻²⁴ = 4e-6 of its terms, times a gate of up to 2.8; an
/// activation must not add to it. The hardware's fast tanh, off by 5e-4, would fail.
template <class T>
const double rounding = sizeof(T) >= 4   ? 1e-5
                        : sizeof(T) == 2 ? 2.6 * epsilon<T>()
                                         : 0.07;

/// Elements between rows: the least aligned that every backend takes.
template <class T>
constexpr Index gap = sizeof(T) == 1   ? 16
                      : sizeof(T) == 2 ? 2
                                       : 3;

/// Elements between rows of heads, which begin at multiples of 16 bytes.
constexpr Index head_gap = 8;

/// Calls body with queues of the backend: on the host with one worker, and with several.
template <class B, class Body>
void on_queues(const Body& body) {
  if constexpr (requires(typename B::Queue & queue) { queue.workers(); }) {
    for (const int workers : {1, 3}) {
      typename B::Queue queue(workers);
      body(queue);
    }
  } else {
    typename B::Queue queue;
    body(queue);
  }
}

/// Waits until all that was queued before is done.
template <class Queue>
void wait(Queue& queue) {
  if constexpr (requires { queue.synchronize(); }) queue.synchronize();
}

/// Draws numbers of mean 0 and deviation 1, each the sum of four uniform ones: near enough to normal, and far
/// sooner than std::normal_distribution, whose logarithms took longer than the operators and what they are
/// compared to.
class NearlyNormal {
 public:
  explicit NearlyNormal(unsigned seed) : bits_(seed) {}

  double operator()() {
    double sum = 0;
    for (std::uint64_t bits = bits_(), i = 0; i < 4; ++i, bits >>= 16)
      sum += static_cast<double>(bits & 0xFFFF);
    return (sum / 0xFFFF - 2) * std::numbers::sqrt3;
  }

 private:
  std::mt19937_64 bits_;
};

/// A tensor with `gap` unused elements after each row, and after each row of rows. `before` holds its first
/// numbers, and `after` those that were fetched last.
template <class B, class T, int Rank>
class Placed {
 public:
  using Queue = typename B::Queue;
  using Extents = std::array<Index, Rank>;

  Placed(Queue& queue, const Extents& extents, Index gap_after = 0) : Placed(layout(extents, gap_after)) {
    send(queue);
  }

  /// Makes a tensor of nearly normal numbers, rounded to T, that depend on the seed.
  static Placed random(Queue& queue, unsigned seed, const Extents& extents, Index gap_after = 0,
                       double deviation = 1) {
    Placed out(layout(extents, gap_after));
    NearlyNormal normal(seed);
    out.for_each([&](T& x) { x = static_cast<T>(static_cast<float>(deviation * normal())); });
    out.send(queue);
    return out;
  }

  /// Makes a tensor of the numbers make(indices...).
  template <class Make>
  static Placed of(Queue& queue, const Extents& extents, Index gap_after, const Make& make) {
    Placed out(layout(extents, gap_after));
    out.make(View<T, Rank>(out.before_.data(), out.extents_, out.strides_), make);
    out.send(queue);
    return out;
  }

  /// Returns the tensor in the backend's memory.
  View<T, Rank> view() const { return at(memory_.view(std::array{memory_.size()}).data); }
  View<const T, Rank> before() const { return at(before_.data()); }

  /// Fetches the numbers that the backend has now.
  View<const T, Rank> after(Queue& queue) { return after(queue, view()); }
  /// Fetches them, and returns those of `part`, a view into this memory.
  template <class U, int R>
  View<const U, R> after(Queue& queue, const View<U, R>& part) {
    after_ = before_;
    copy_bytes(queue, bytes(memory_.view(std::array{memory_.size()}).data),
               bytes(const_cast<T*>(after_.data())));
    wait(queue);
    const auto offset = reinterpret_cast<const std::byte*>(part.data) -
                        reinterpret_cast<const std::byte*>(memory_.view(std::array{memory_.size()}).data);
    return {reinterpret_cast<const U*>(reinterpret_cast<const std::byte*>(after_.data()) + offset),
            part.extent, part.stride};
  }

  /// Returns whether the gaps were unchanged when last fetched.
  bool gaps_untouched() const {
    std::vector<T> found = after_;
    visit(View<T, Rank>(found.data(), extents_, strides_),
          [&](T& x) { std::memset(static_cast<void*>(&x), filler, sizeof x); });
    const auto* const raw = reinterpret_cast<const unsigned char*>(found.data());
    return std::all_of(raw, raw + found.size() * sizeof(T),
                       [](unsigned char byte) { return byte == filler; });
  }

 private:
  static constexpr unsigned char filler = 0x5a;

  struct Shape {
    Extents extents, strides;
    Index size;
  };

  static Shape layout(const Extents& extents, Index gap_after) {
    Shape out{extents, {}, 1};
    for (std::size_t d = Rank; d-- > 0;) {
      out.strides[d] = out.size;
      out.size = out.size * extents[d] + gap_after;
    }
    return out;
  }

  explicit Placed(const Shape& shape)
      : extents_(shape.extents), strides_(shape.strides), before_(static_cast<std::size_t>(shape.size)) {
    std::fill_n(reinterpret_cast<unsigned char*>(before_.data()), before_.size() * sizeof(T), filler);
  }

  void send(Queue& queue) {
    memory_ = typename B::template Buffer<T>(queue, static_cast<Index>(before_.size()));
    copy_bytes(queue, bytes(before_.data()), bytes(memory_.view(std::array{memory_.size()}).data));
    wait(queue);
  }

  template <class U>
  View<U, Rank> at(U* data) const {
    return {data, extents_, strides_};
  }
  View<std::byte, 1> bytes(T* data) const {
    return {reinterpret_cast<std::byte*>(data), {static_cast<Index>(before_.size() * sizeof(T))}};
  }

  template <class Body>
  void for_each(const Body& body) {
    visit(View<T, Rank>(before_.data(), extents_, strides_), body);
  }
  template <int R, class Make, class... Indices>
  static void make(const View<T, R>& x, const Make& number, Indices... at) {
    for (Index i = 0; i < x.extent[0]; ++i) {
      if constexpr (R == 1) {
        x[i] = number(at..., i);
      } else {
        make(x[i], number, at..., i);
      }
    }
  }
  template <int R, class Body>
  static void visit(const View<T, R>& x, const Body& body) {
    for (Index i = 0; i < x.extent[0]; ++i) {
      if constexpr (R == 1) {
        body(x[i]);
      } else {
        visit(x[i], body);
      }
    }
  }

  Extents extents_, strides_;
  std::vector<T> before_, after_;
  typename B::template Buffer<T> memory_;
};

/// An expected number, and the size that its errors are compared with: its own, or that of a sum's terms
/// together, whose roundings stay where the terms cancel.
struct Sum {
  double value, magnitude;

  Sum(double number) : Sum(number, std::abs(number)) {}
  Sum(double number, double size) : value(number), magnitude(size) {}
};

/// Returns the largest |x − expected(indices...)| / (1 + its magnitude); infinite where there is a NaN.
template <class T, int Rank, class Expected, class... Indices>
double error(const View<T, Rank>& x, const Expected& expected, Indices... at) {
  double worst = 0;
  for (Index i = 0; i < x.extent[0]; ++i) {
    if constexpr (Rank == 1) {
      const Sum wanted = expected(at..., i);
      const double is = number(x[i]);
      if (is == wanted.value) continue;
      const double off = std::abs(is - wanted.value) / (1 + wanted.magnitude);
      worst = std::max(worst, std::isnan(off) ? std::numeric_limits<double>::infinity() : off);
    } else {
      worst = std::max(worst, error(x[i], expected, at..., i));
    }
  }
  return worst;
}

}  // namespace conformance
