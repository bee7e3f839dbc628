#include "weft/model/rotary.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "weft/io/safetensors.hpp"

using weft::Index;
using weft::Rotary;
using weft::Tensor;

namespace {

double worst(const Rotary& rotary, float (Rotary::*turn)(Index, Index) const, const Tensor& expected) {
  double out = 0;
  for (Index t = 0; t < expected.shape[0]; ++t)
    for (Index d = 0; d < expected.shape[1]; ++d)
      out = std::max<double>(out, std::abs((rotary.*turn)(t, d) - expected.view<2>()[t][d]));
  return out;
}

}  // namespace

TEST_CASE("Rotary: the goldens' cosines and sines, of a square image and of a wide one") {
  struct Golden {
    const char* file;
    Index rows, columns, head_dim;
  };
  for (const auto& [file, rows, columns, head_dim] :
       {Golden{"/v12/forward_expected.safetensors", 8, 8, 16},
        Golden{"/v11_hd88/forward_expected.safetensors", 8, 12, 88}}) {
    const weft::SafeTensors golden(std::string(WEFT_GOLDENS_DIR) + file);
    const Rotary rotary(rows, columns, 4, head_dim);
    const Tensor cos = golden.tensor("rope.cos"), sin = golden.tensor("rope.sin");
    CHECK(cos.shape == weft::Shape{rows * columns, head_dim});
    CHECK(worst(rotary, &Rotary::cos, cos) < 2e-6);
    CHECK(worst(rotary, &Rotary::sin, sin) < 2e-6);
  }
}

TEST_CASE("Rotary: at 1024² positions are half apart, columns first, then rows") {
  const Rotary rotary(64, 64, 32, 88);
  const Index token = 5 * 64 + 9;
  for (const Index d : {0, 1}) CHECK(rotary.sin(token, d) == doctest::Approx(std::sin(4.5)).epsilon(1e-6));
  for (const Index d : {44, 45}) CHECK(rotary.sin(token, d) == doctest::Approx(std::sin(2.5)).epsilon(1e-6));
  CHECK(rotary.sin(token, 2) == doctest::Approx(std::sin(4.5 / std::pow(10000, 2.0 / 44))).epsilon(1e-6));
}

TEST_CASE("Rotary: a single row or column has one position") {
  const Rotary rotary(1, 1, 32, 8);
  for (Index d = 0; d < 8; ++d) CHECK(rotary.cos(0, d) == 1);
}
