// The check that what devices write into each other's memory arrives. Here one device plays two.
#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <string>

#include "weft/comm/peer/access_check.cuh"
#include "weft/comm/peer/devices.cuh"

using doctest::Contains;
using weft::peer::AccessCheck;

namespace {

/// Runs the check between "device 0" and "device 1", with `damage` done to their memory after the exchange.
void check_after(const std::function<void(const AccessCheck&, const AccessCheck&)>& damage) {
  const AccessCheck first(0, 2), second(1, 2);
  const std::vector<void*> memory{first.memory(), second.memory()};
  first.exchange(memory);
  second.exchange(memory);
  damage(first, second);
  first.check_arrivals();
  second.check_arrivals();
}

/// Changes one byte of the words that came from a device in one way.
void damage(const AccessCheck& check, AccessCheck::Way way, int from) {
  auto* const words = static_cast<std::uint32_t*>(check.memory()) + check.place(way, from);
  REQUIRE(cudaMemset(words + 1000, 0, 1) == cudaSuccess);
  REQUIRE(cudaDeviceSynchronize() == cudaSuccess);  // the check's own stream does not wait for it
}

}  // namespace

TEST_CASE("peer access: devices whose words all arrive are accepted") {
  CHECK(weft::peer::device_count() > 0);
  CHECK_NOTHROW(check_after([](const AccessCheck&, const AccessCheck&) {}));
}

TEST_CASE("peer access: devices whose words are lost are rejected by name") {
  const std::array<std::pair<AccessCheck::Way, const char*>, 3> ways{
      {{AccessCheck::stored,
        "what a kernel of CUDA device 0 stores into the memory of device 1 does not arrive"},
       {AccessCheck::loaded,
        "what a kernel of CUDA device 1 loads from the memory of device 0 does not arrive"},
       {AccessCheck::copied,
        "what is copied from the memory of CUDA device 0 to that of device 1 does not arrive"}}};
  for (const auto& [way, words] : ways) {
    CAPTURE(words);
    const auto lose = [way = way](const AccessCheck&, const AccessCheck& second) { damage(second, way, 0); };
    CHECK_THROWS_WITH_AS(check_after(lose), Contains(words), weft::InvalidArgument);
  }
}

TEST_CASE("peer access: words that were never exchanged are missed") {
  const AccessCheck first(0, 2);
  CHECK_THROWS_AS(first.check_arrivals(), weft::InvalidArgument);
}

TEST_CASE("peer: neighbouring ranks share a device") {
  CHECK(weft::peer::ranks_on(0, 4, 2) == std::vector{0, 1});
  CHECK(weft::peer::ranks_on(1, 4, 2) == std::vector{2, 3});
  CHECK(weft::peer::ranks_on(2, 3, 8) == std::vector{2});
  CHECK(weft::peer::named({1}) == "rank 1");
  CHECK(weft::peer::named({0, 1, 2}) == "ranks 0, 1 and 2");
}
