// Conformance of copies.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <type_traits>

#include "placed.hpp"
#include "weft/core/tensor.hpp"

namespace conformance {

template <class B, class From, class To, int Rank>
void check_copy(typename B::Queue& queue, const std::array<Index, Rank>& extents) {
  const auto from = Placed<B, From, Rank>::random(queue, 51, extents, 3);
  Placed<B, To, Rank> to(queue, extents, 5);
  copy(queue, View<const From, Rank>(from.view()), to.view());
  const auto is = [](const View<const From, Rank>& x) {
    return [x]<class... At>(At... at) {
      auto walk = [&]<class V>(const auto& self, const V& view, Index i, auto... rest) -> double {
        if constexpr (sizeof...(rest) == 0) {
          return number(view[i]);
        } else {
          return self(self, view[i], rest...);
        }
      };
      return walk(walk, x, at...);
    };
  };
  CHECK(error(to.after(queue), is(from.before())) <= (std::is_same_v<From, To> ? 0 : rounding<To>));
  CHECK(to.gaps_untouched());
}

TEST_CASE_TEMPLATE_DEFINE("copy: any rank, any strides, and other types", B, copy_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    check_copy<B, E, E, 1>(queue, {7});
    check_copy<B, E, E, 2>(queue, {5, 7});
    check_copy<B, E, float, 3>(queue, {3, 5, 7});
    check_copy<B, float, E, 4>(queue, {2, 3, 5, 7});
    check_copy<B, double, double, 2>(queue, {5, 7});
    check_copy<B, E, E, 3>(queue, {3, 0, 7});
  });
}

TEST_CASE_TEMPLATE_DEFINE("fill: writes every element", B, fill_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    auto x = Placed<B, E, 1>::random(queue, 52, {300}, 2);
    fill(queue, static_cast<E>(1.5f), x.view());
    CHECK(error(x.after(queue), [](Index) { return 1.5; }) == 0);
    CHECK(x.gaps_untouched());
  });
}

TEST_CASE_TEMPLATE_DEFINE("upload and download: between tensors and any strides", B, upload_conformance) {
  using E = typename B::Element;
  on_queues<B>([](typename B::Queue& queue) {
    for (const Index gaps : {0, 3}) {
      weft::Tensor tensor({3, 2, 5});
      for (std::size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = static_cast<float>(i) / 4;
      Placed<B, E, 3> x(queue, {3, 2, 5}, gaps);
      upload(queue, tensor, x.view());
      CHECK(error(x.after(queue), [&](Index i, Index j, Index k) { return tensor.view<3>()[i][j][k]; }) == 0);
      CHECK(x.gaps_untouched());
      const weft::Tensor back = download(queue, View<const E, 3>(x.view()));
      CHECK(back.shape == tensor.shape);
      CHECK(back.data == tensor.data);
    }
  });
}

}  // namespace conformance
