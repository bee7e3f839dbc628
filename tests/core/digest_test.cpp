#include "weft/core/digest.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/type_name.hpp"

using weft::digest_of;
using weft::Tensor;

TEST_CASE("Digest: the same for the same contents, in every process") {
  CHECK(digest_of(std::string("seed"), 5) == digest_of(std::string_view("seed"), 5));
  CHECK(digest_of(Tensor({2}, {1, 2})) == digest_of(Tensor({2}, {1, 2})));
  // Other programs and machines must compute the same.
  CHECK(digest_of() == 14137147594834187692u);
  CHECK(digest_of(std::string_view("every rank is asked for the same thing")) == 3658556603072732700u);
}

TEST_CASE("Digest: differs for contents that differ") {
  CHECK(digest_of(1, 2) != digest_of(2, 1));
  CHECK(digest_of(std::string_view("ab"), std::string_view("c")) !=
        digest_of(std::string_view("a"), std::string_view("bc")));
  CHECK(digest_of(Tensor({2, 3})) != digest_of(Tensor({3, 2})));
  CHECK(digest_of(Tensor({2})) != digest_of(Tensor({3})));
  CHECK(digest_of(0.0f) != digest_of(-0.0f));
}

TEST_CASE("Digest: differs for every flipped bit, and for flipped pairs at the same place of two words") {
  for (const std::size_t size : {1, 7, 8, 31, 32, 33, 100}) {
    std::vector<std::byte> bytes(size);
    std::set<std::uint64_t> seen;
    std::size_t tried = 0;
    const auto see = [&] {
      weft::Digest digest;
      digest.add(bytes);
      seen.insert(digest.value());
      ++tried;
    };
    see();
    for (std::size_t i = 0; i < 8 * size; ++i) {
      const auto flip = [&bytes](std::size_t bit) { bytes[bit / 8] ^= std::byte(1 << bit % 8); };
      flip(i);
      see();
      for (std::size_t j = i + 64; j < 8 * size; j += 64) {
        flip(j);
        see();
        flip(j);
      }
      flip(i);
    }
    CHECK(seen.size() == tried);
  }
}

TEST_CASE("type_name: returns the name as it is written in C++") {
  CHECK(weft::type_name<float>() == "float");
  CHECK(weft::type_name<Tensor>() == "weft::v0_1::Tensor");
}
