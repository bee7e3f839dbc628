// Elementwise operators on the host: activations, sums, differences, gated units and modulation.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "weft/backend/host/linear.hpp"

namespace weft::inline v0_1::host {

/// Activates x (rows, features) in place.
inline void activate(Queue& queue, Activation activation, View<float, 2> x) {
  queue.workers().parallel_for(x.extent[0], 16, [activation, &x](Range rows) {
    for (Index r = rows.begin; r < rows.end; ++r) detail::activate(activation, x[r]);
  });
}

namespace detail {

/// Computes out = combined(a, b) for every number.
template <class Combined>
void combine(Queue& queue, const View<const float, 2>& a, const View<const float, 2>& b,
             const View<float, 2>& out, Combined combined) {
  queue.workers().parallel_for(out.extent[0], 16, [&a, &b, &out, combined](Range rows) {
    for (Index r = rows.begin; r < rows.end; ++r)
      for (Index f = 0; f < out.extent[1]; ++f) out[r][f] = combined(a[r][f], b[r][f]);
  });
}

}  // namespace detail

/// Computes out = a + b, all (rows, features); `out` may be a or b.
inline void add(Queue& queue, In<float, 2> a, In<float, 2> b, View<float, 2> out) {
  check_extents("add", out, {&a, &b});
  detail::combine(queue, a, b, out, std::plus<float>());
}

/// Computes out = a − b, all (rows, features); `out` may be a or b.
inline void subtract(Queue& queue, In<float, 2> a, In<float, 2> b, View<float, 2> out) {
  check_extents("subtract", out, {&a, &b});
  detail::combine(queue, a, b, out, std::minus<float>());
}

/// Sums copies of rows, all (rows, features), in their order, and stores the sum in each.
inline void sum_copies(Queue& queue, const std::vector<View<float, 2>>& copies) {
  for (const View<const float, 2> copy : copies) check_extents("sum_copies", copies.front(), {&copy});
  if (copies.empty()) return;
  queue.workers().parallel_for(copies.front().extent[0], 16, [&copies](Range rows) {
    for (Index r = rows.begin; r < rows.end; ++r)
      for (Index f = 0; f < copies.front().extent[1]; ++f) {
        float sum = 0;
        for (const View<float, 2>& copy : copies) sum += copy[r][f];
        for (const View<float, 2>& copy : copies) copy[r][f] = sum;
      }
  });
}

/// Computes a gated linear unit: out = value · activation(gate), all (rows, features); `out` may be the gate
/// or the value.
inline void gated_unit(Queue& queue, Activation activation, In<float, 2> gate, In<float, 2> value,
                       View<float, 2> out) {
  check_extents("gated_unit", out, {&gate, &value});
  queue.workers().parallel_for(out.extent[0], 16, [activation, &gate, &value, &out](Range rows) {
    detail::Matrix memory(1, out.extent[1]);
    const View<float, 1> factors = detail::view_of(memory)[0];
    for (Index r = rows.begin; r < rows.end; ++r) {
      std::copy_n(gate[r].data, factors.size(), factors.data);
      detail::activate(activation, factors);
      for (Index f = 0; f < factors.size(); ++f) out[r][f] = value[r][f] * factors[f];
    }
  });
}

/// Computes each image's modulation: x → out, both (tokens, images, features); `out` may be x.
inline void modulate(Queue& queue, In<float, 3> x, const Modulation& modulation, View<float, 3> out) {
  check_extents("modulate", out, {&x});
  queue.workers().parallel_for(out.extent[0], 16, [&x, &modulation, &out](Range tokens) {
    for (Index t = tokens.begin; t < tokens.end; ++t)
      for (Index image = 0; image < out.extent[1]; ++image) {
        const View<float, 1> row = out[t][image];
        if (x.data != out.data) std::copy_n(x[t][image].data, row.size(), row.data);
        detail::modulate(row, modulation, image);
      }
  });
}

}  // namespace weft::inline v0_1::host
