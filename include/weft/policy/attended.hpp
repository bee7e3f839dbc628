// Where policies put what attention computes.
#pragma once

#include <type_traits>
#include <variant>

#include "weft/backend/operators.hpp"
#include "weft/core/stretches.hpp"

namespace weft::inline v0_1 {

namespace detail {

template <class Element, class Operand>
struct AttendedIn {
  using Type = std::variant<Stretches<Element, 4>, Stretches<Operand, 4>>;
};
template <class Element>
struct AttendedIn<Element, Element> {
  using Type = std::variant<Stretches<Element, 4>>;
};

}  // namespace detail

/// The memory of attention's result (tokens, images, heads, head_dim), which may be that of several ranks:
/// for elements, or for operands of linear layers, which as_operands made of memory for elements.
template <class Backend>
using Attended = typename detail::AttendedIn<typename Backend::Element, typename Backend::Operand>::Type;

/// Calls attend(elements) with memory for elements, and narrows these where the result is to be operands. It
/// must lie in one stretch then, whose rows the elements take until they are narrowed.
template <class Backend, class Attend>
void attend_in_elements(typename Backend::Queue& queue, const Attended<Backend>& out, const Attend& attend) {
  using Element = typename Backend::Element;
  std::visit(
      [&queue, &attend]<class Out>(const Stretches<Out, 4>& to) {
        if constexpr (std::is_same_v<Out, Element>) {
          attend(to);
        } else {
          const View<Element, 4> elements = elements_of_heads<Element>(to.whole());
          attend(Stretches<Element, 4>(elements));
          narrow(queue, rows_of(elements.fold()), rows_of(to.whole().fold()));
        }
      },
      out);
}

}  // namespace weft::inline v0_1
