#include "weft/core/tensor.hpp"

#include <doctest/doctest.h>

#include <utility>

using weft::Shape;
using weft::Tensor;

TEST_CASE("Shape: counts its elements and prints") {
  CHECK(weft::element_count({}) == 1);
  CHECK(weft::element_count({2, 3, 4}) == 24);
  CHECK(weft::element_count({5, 0}) == 0);
  CHECK(weft::to_string(Shape{}) == "()");
  CHECK(weft::to_string(Shape{2, 3, 4}) == "(2, 3, 4)");
}

TEST_CASE("Tensor: starts with zeros") {
  const Tensor tensor({2, 3});
  CHECK(tensor.size() == 6);
  CHECK(tensor.data == std::vector<float>(6, 0.0f));
  CHECK(Tensor().empty());
  CHECK(Tensor({3, 0}).empty());
}

TEST_CASE("Tensor: at copies a part of the first dimension") {
  const Tensor tensor({3, 1, 2}, {0, 1, 2, 3, 4, 5});
  CHECK(tensor.at(1).shape == Shape{1, 2});
  CHECK(tensor.at(2).data == std::vector<float>{4, 5});
  CHECK(Tensor({2}, {7, 8}).at(1).data == std::vector<float>{8});
}

TEST_CASE("Tensor: its view reads and writes it") {
  Tensor tensor({2, 3}, {0, 1, 2, 3, 4, 5});
  tensor.view<2>()[1][0] = 9;
  CHECK(tensor.data[3] == 9);
  CHECK(std::as_const(tensor).view<2>()[1][2] == 5);
}
