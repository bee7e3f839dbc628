// The counting backend: runs a model's own code and computes nothing, to know what it would do.
#pragma once

#include "weft/backend/backend.hpp"
#include "weft/backend/counting/buffer.hpp"
#include "weft/backend/counting/image_operators.hpp"
#include "weft/backend/counting/operators.hpp"
#include "weft/backend/counting/queue.hpp"
#include "weft/backend/counting/text_operators.hpp"

namespace weft::inline v0_1 {

namespace counting {

/// A number of so many bytes, in place of a format that only a device has.
template <int bytes>
struct Number {
  unsigned char memory[bytes];
};

/// Fills of weights, which are no work.
class Loader {
 public:
  explicit Loader(Queue&) {}

  template <class Numbers, class T>
  void fill(const Numbers&, const View<T, 3>&, const MatrixPart& = {}) {}
  void finish() {}
};

}  // namespace counting

/// Counts for a backend of these types of elements and of operands: of the types' sizes alone. Its memory is
/// only counted; its operators append a counting::Work to their queue.
template <class ElementType = float, class OperandType = ElementType>
struct Counting {
  using Element = ElementType;
  using Operand = OperandType;
  using Queue = counting::Queue;
  template <class T>
  using Buffer = counting::Buffer<T>;
  using Loader = counting::Loader;

  static Queue queue(const auto&) { return {}; }
  /// Accepts every model.
  static void check(const DitShape&) {}
};

template <class Element, class Operand>
inline constexpr bool holds_numbers<Counting<Element, Operand>> = false;

static_assert(Backend<Counting<>>, "an operator of backend.hpp is missing in counting/operators.hpp");
static_assert(ImageBackend<Counting<>>, "an operator of image_operators.hpp is missing in counting/");
static_assert(TextBackend<Counting<>>, "an operator of text_operators.hpp is missing in counting/");

}  // namespace weft::inline v0_1
