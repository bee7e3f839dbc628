// Arguments of operators other than views.
#include "weft/backend/operators.hpp"

#include <doctest/doctest.h>

#include <type_traits>

#include "strided.hpp"
#include "weft/backend/host.hpp"

using weft::LinearWeights;
using weft::Rotation;

// A scale cannot be set where operators would ignore it.
static_assert(!std::is_assignable_v<LinearWeights<float>::Scale&, View<const float, 1>>);
static_assert(std::is_assignable_v<LinearWeights<float, char>::Scale&, View<const float, 1>>);

TEST_CASE("Rotation: rows of one with angles, and of an empty one") {
  const auto cos = Strided<2>::random(11, {6, 4}), sin = Strided<2>::random(12, {6, 4});
  const Rotation part = Rotation{cos.view(), sin.view()}.rows({2, 5});
  CHECK(part.cos.data == cos.view()[2].data);
  CHECK(part.sin.extent[0] == 3);
  CHECK(Rotation{}.rows({2, 5}).cos.empty());
}

TEST_CASE("linear on the host: without inputs only the bias is left") {
  weft::host::Queue queue;
  const auto bias = Strided<1>::random(2, {4});
  Strided<2> weight({4, 0}), out({3, 4});
  linear(queue, Strided<2>({3, 0}).view(), {.weight = weight.view(), .bias = bias.view()}, out.view());
  CHECK(error(out.view(), [&](Index, Index o) { return bias.view()[o]; }) == 0);
}
