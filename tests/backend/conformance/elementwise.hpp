// Conformance of elementwise operators, against float64.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "linear.hpp"
#include "norm.hpp"
#include "placed.hpp"
#include "weft/backend/operators.hpp"

namespace conformance {

/// The memory of an output: of its own, or an input's.
enum class Placement { elsewhere, first_input, second_input };

TEST_CASE_TEMPLATE_DEFINE("activate: in place, at extreme numbers too", B, activate_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Activation activation : activations) {
      auto x = Placed<B, E, 2>::random(queue, 7, {60, 5}, gap<E>, 30);
      activate(queue, activation, x.view());
      CHECK(error(x.after(queue), [&](Index r, Index c) {
              return activated(activation, number(x.before()[r][c]));
            }) <= rounding<E>);
      CHECK(x.gaps_untouched());
    }
    activate(queue, Activation::silu, View<E, 2>(nullptr, {0, 4}));
  });
}

/// Checks a + sign · b where `out` is an input or elsewhere.
template <class B>
void check_sum(typename B::Queue& queue, int sign) {
  using E = typename B::Element;
  for (const Index rows : {0, 1, 45})
    for (const Placement placement :
         {Placement::elsewhere, Placement::first_input, Placement::second_input}) {
      CAPTURE(rows);
      CAPTURE(sign);
      CAPTURE(static_cast<int>(placement));
      auto a = Placed<B, E, 2>::random(queue, 71, {rows, 7}, gap<E>),
           b = Placed<B, E, 2>::random(queue, 72, {rows, 7}, 2 * gap<E>);
      Placed<B, E, 2> other(queue, {rows, 7}, 3 * gap<E>);
      Placed<B, E, 2>& out = placement == Placement::elsewhere     ? other
                             : placement == Placement::first_input ? a
                                                                   : b;
      if (sign > 0)
        add(queue, a.view(), b.view(), out.view());
      else
        subtract(queue, a.view(), b.view(), out.view());
      CHECK(error(out.after(queue), [&](Index r, Index f) {
              return number(a.before()[r][f]) + sign * number(b.before()[r][f]);
            }) <= rounding<E>);
      CHECK(out.gaps_untouched());
    }
}

TEST_CASE_TEMPLATE_DEFINE("add, subtract: in place or elsewhere, of any strides", B, add_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const int sign : {1, -1}) check_sum<B>(queue, sign);
    // One row to all, in float32 whatever the elements, as modulations are.
    auto x = Placed<B, float, 2>::random(queue, 76, {45, 7}, 3);
    const auto row = Placed<B, float, 2>::random(queue, 77, {1, 7}, 0);
    add(queue, x.view(), View<const float, 2>(row.view().data, {45, 7}, {0, 1}), x.view());
    CHECK(error(x.after(queue), [&](Index r, Index f) {
            return number(x.before()[r][f]) + number(row.before()[0][f]);
          }) <= rounding<float>);
    CHECK(x.gaps_untouched());
    const View<E, 2> three(nullptr, {3, 8}), four(nullptr, {4, 8});
    CHECK_THROWS_WITH_AS(
        add(queue, three, four, three),
        "add was given an input of (4, 8) and an output of (3, 8); both must have the same extents",
        std::logic_error);
    CHECK_THROWS_AS(subtract(queue, three, four, three), std::logic_error);
  });
}

TEST_CASE_TEMPLATE_DEFINE("sum_copies: of any number and stride", B, sum_copies_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const std::size_t count : {1, 2, 5})
      for (const Index features : {7, 64}) {
        CAPTURE(count);
        CAPTURE(features);
        std::vector<Placed<B, E, 2>> copies;
        std::vector<View<E, 2>> views;
        for (std::size_t i = 0; i < count; ++i)
          copies.push_back(Placed<B, E, 2>::random(queue, 80 + static_cast<unsigned>(i), {45, features}, 8));
        for (auto& copy : copies) views.push_back(copy.view());
        sum_copies(queue, views);
        for (auto& copy : copies) {
          CHECK(error(copy.after(queue), [&](Index r, Index f) {
                  double sum = 0;
                  for (const auto& each : copies) sum += number(each.before()[r][f]);
                  return sum;
                }) <= rounding<E>);
          CHECK(copy.gaps_untouched());
        }
      }
    sum_copies(queue, std::vector<View<E, 2>>{});
    const View<E, 2> three(nullptr, {3, 8}), four(nullptr, {4, 8});
    CHECK_THROWS_WITH_AS(
        sum_copies(queue, std::vector<View<E, 2>>{three, four}),
        "sum_copies was given an input of (4, 8) and an output of (3, 8); both must have the same extents",
        std::logic_error);
  });
}

template <class B, class Out>
void check_gated_unit(typename B::Queue& queue, Activation activation, Placement placement) {
  using E = typename B::Element;
  if (placement != Placement::elsewhere && !std::is_same_v<Out, E>) return;
  constexpr Index features = 16;
  for (const Index rows : {0, 1, 45}) {
    CAPTURE(rows);
    CAPTURE(static_cast<int>(activation));
    CAPTURE(static_cast<int>(placement));
    // Gate and value as the halves of what one layer gives.
    auto both = Placed<B, E, 2>::random(queue, 73, {rows, 2 * features}, gap<E>, 2);
    const auto half = [](const auto& view, Index i) {
      return view.template slice<1>({i * features, (i + 1) * features});
    };
    Placed<B, E, 2> other(queue, {rows, features}, 16);
    const View<E, 2> gate = half(both.view(), 0), value = half(both.view(), 1);
    View<const Out, 2> found;
    if constexpr (std::is_same_v<Out, E>) {
      const View<E, 2> out = placement == Placement::elsewhere     ? other.view()
                             : placement == Placement::first_input ? gate
                                                                   : value;
      gated_unit(queue, activation, gate, value, out);
      found = placement == Placement::elsewhere ? other.after(queue, out) : both.after(queue, out);
    } else {
      const View<Out, 2> out = front_of<B, Out>(other);
      gated_unit(queue, activation, gate, value, out);
      found = other.after(queue, out);
    }
    CHECK(error(found, [&](Index r, Index f) {
            return number(half(both.before(), 1)[r][f]) *
                   activated(activation, number(half(both.before(), 0)[r][f]));
          }) <= rounding<Out>);
    CHECK((placement == Placement::elsewhere ? other : both).gaps_untouched());
  }
}

TEST_CASE_TEMPLATE_DEFINE("gated_unit: value · activation(gate)", B, gated_unit_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Activation activation : activations)
      for (const Placement placement :
           {Placement::elsewhere, Placement::first_input, Placement::second_input}) {
        check_gated_unit<B, E>(queue, activation, placement);
        if constexpr (!std::is_same_v<E, typename B::Operand>)
          check_gated_unit<B, typename B::Operand>(queue, activation, placement);
      }
    const View<E, 2> narrow(nullptr, {3, 8}), wide(nullptr, {3, 16});
    CHECK_THROWS_WITH_AS(
        gated_unit(queue, Activation::silu, wide, narrow, narrow),
        "gated_unit was given an input of (3, 16) and an output of (3, 8); both must have the same extents",
        std::logic_error);
  });
}

template <class B, class Out>
void check_modulate(typename B::Queue& queue, Index tokens, bool scales, bool shifts, bool in_place) {
  using E = typename B::Element;
  if (in_place && !std::is_same_v<Out, E>) return;
  CAPTURE(tokens);
  CAPTURE(scales);
  CAPTURE(shifts);
  CAPTURE(in_place);
  constexpr Index images = 3, features = 16, step = 1;
  auto x = Placed<B, E, 3>::random(queue, 74, {tokens, images, features}, 16);
  const auto scale = Placed<B, float, 3>::random(queue, 75, {2, images, features}, 3),
             shift = Placed<B, float, 3>::random(queue, 76, {2, images, features}, 5);
  Placed<B, E, 3> other(queue, {tokens, images, features}, 32);
  Placed<B, E, 3>& memory = in_place ? x : other;
  weft::Modulation modulation{.step = {.ahead = step}};
  if (scales) modulation.scale = scale.view();
  if (shifts) modulation.shift = shift.view();
  const View<Out, 3> out = front_of<B, Out>(memory);
  modulate(queue, x.view(), modulation, out);
  CHECK(error(memory.after(queue, out), [&](Index t, Index image, Index f) {
          double y = number(x.before()[t][image][f]);
          if (scales) y *= 1 + number(scale.before()[step][image][f]);
          return shifts ? y + number(shift.before()[step][image][f]) : y;
        }) <= rounding<Out>);
  CHECK(memory.gaps_untouched());
}

TEST_CASE_TEMPLATE_DEFINE("modulate: each image's scale and shift of a step", B, modulate_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index tokens : {0, 1, 40})
      for (const bool scales : {false, true})
        for (const bool shifts : {false, true})
          for (const bool in_place : {false, true}) {
            check_modulate<B, E>(queue, tokens, scales, shifts, in_place);
            if constexpr (!std::is_same_v<E, typename B::Operand>)
              check_modulate<B, typename B::Operand>(queue, tokens, scales, shifts, in_place);
          }
  });
}

}  // namespace conformance
