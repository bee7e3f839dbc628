#include "weft/core/tensor.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "weft/backend/host/copy.hpp"

using doctest::Contains;
using weft::Index;
using weft::InvalidArgument;
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

TEST_CASE("Shape: negative extents and too many elements are rejected") {
  constexpr Index most = std::numeric_limits<Index>::max();
  CHECK_THROWS_WITH_AS(weft::element_count({2, -3}), Contains("(2, -3), and no extent may be negative"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(weft::element_count({-2, -3}), Contains("no extent may be negative"), InvalidArgument);
  CHECK_THROWS_WITH_AS(weft::element_count({most / 2, 3}), Contains("too large for any memory"),
                       InvalidArgument);
  CHECK_THROWS_AS(Tensor({-1}), InvalidArgument);
}

TEST_CASE("Tensor: more or fewer values than the shape says are rejected") {
  CHECK_THROWS_WITH_AS(Tensor({2, 2}, {1, 2, 3}), "a tensor of shape (2, 2) has 4 values, and 3 are given",
                       InvalidArgument);
  CHECK_THROWS_AS(Tensor({2}, {1, 2, 3}), InvalidArgument);
  CHECK(Tensor(Shape{}, {5}).size() == 1);
}

TEST_CASE("Tensor: reading one whose data do not fit its shape, or by another rank, is a logic error") {
  Tensor tensor({2, 3});
  CHECK_THROWS_WITH_AS(tensor.view<1>(), "a tensor (2, 3) is viewed as one of 1 dimension", std::logic_error);
  CHECK_THROWS_AS(tensor.view<3>(), std::logic_error);
  CHECK_THROWS_AS(tensor.at(2), std::logic_error);
  CHECK_THROWS_AS(tensor.at(-1), std::logic_error);
  CHECK_THROWS_AS(Tensor().at(0), std::logic_error);
  tensor.data.resize(5);
  CHECK(!tensor.is_whole());
  CHECK_THROWS_WITH_AS(tensor.view<2>(), "a tensor's shape is (2, 3), and its data are 5 numbers",
                       std::logic_error);
  CHECK_THROWS_AS(tensor.at(0), std::logic_error);
}

TEST_CASE("Tensor: uploading one of another size is a logic error") {
  weft::host::Queue queue;
  float room[4] = {};
  CHECK_THROWS_WITH_AS(upload(queue, Tensor({3}), weft::View<float, 1>(room, {4})),
                       "a tensor (3) of 3 numbers is copied to a place of 4", std::logic_error);
}
