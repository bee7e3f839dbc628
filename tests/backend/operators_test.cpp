// Arguments of operators other than views.
#include "weft/backend/operators.hpp"

#include <doctest/doctest.h>

#include <type_traits>

#include "strided.hpp"
#include "weft/backend/host.hpp"

using weft::HeadProjection;
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

TEST_CASE("Heads: projections that are there, of the whole alone") {
  const Strided<2> x({6, 3}), weight({12, 3});
  Strided<2> out({6, 12});
  const HeadProjection<float> first{x.view(), {.weight = weight.view()}, out.view().slice<0>({0, 2})},
      rest{x.view(), {.weight = weight.view()}, out.view().slice<0>({2, 6})};
  const View<float, 4> part(out.view().data, {6, 1, 2, 2}, {out.view().stride[0], 0, 2, 1});
  weft::Heads<float> heads{.q = part, .k = part, .v = part, .prefix = 2};
  CHECK(heads.projections().empty());
  heads.projection = rest;
  REQUIRE(heads.projections().size() == 1);
  CHECK(heads.projections()[0].out.data == rest.out.data);
  heads.prefix_projection = first;
  REQUIRE(heads.projections().size() == 2);
  CHECK(heads.projections()[1].out.data == first.out.data);
  for (const weft::Heads<float>& some :
       {heads.rows({1, 3}), heads.query_heads({0, 1}), heads.key_heads({0, 1})})
    CHECK(some.projections().empty());
}

TEST_CASE("linear on the host: without inputs only the bias is left") {
  weft::host::Queue queue;
  const auto bias = Strided<1>::random(2, {4});
  Strided<2> weight({4, 0}), out({3, 4});
  linear(queue, Strided<2>({3, 0}).view(), {.weight = weight.view(), .bias = bias.view()}, out.view());
  CHECK(error(out.view(), [&](Index, Index o) { return bias.view()[o]; }) == 0);
}
