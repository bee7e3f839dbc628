#include "agreement.hpp"

#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/solo.hpp"

using weft::Asked;

TEST_CASE("Ranks that are threads learn together that one was asked for something else") {
  for (const int ranks : {1, 2, 3, 8})
    weft::launch(ranks, [](weft::threads::World& world) { check_agreement<weft::Host>(world); });
}

TEST_CASE("One that is alone is not asked") {
  weft::Solo<weft::host::Queue> world;
  weft::host::Queue queue;
  weft::Agreement<weft::Host, weft::Solo<weft::host::Queue>> agreement(queue, world);
  agreement.check([]() -> Asked { throw std::logic_error("asked"); });
}

TEST_CASE("Asked: the first entry that differs is told, numbers in the digits that they need") {
  const auto difference = [](const auto& fill_first, const auto& fill_other) {
    Asked first("request"), other("request");
    fill_first(first), fill_other(other);
    return Asked::difference(first.text(), other.text(), 3);
  };
  CHECK(difference([](Asked& a) { a.add("seed", 0.1f), a.add("size", 1); },
                   [](Asked& a) { a.add("seed", 0.1f + 1e-8f), a.add("size", 2); }) ==
        "rank 3 was asked for seed 0.10000001 and rank 0 for seed 0.1; all ranks must be given the same "
        "request");
  CHECK(difference([](Asked& a) { a.add("seed", std::uint64_t{18446744073709551615u}); },
                   [](Asked& a) { a.add("seed", std::uint64_t{0}); }) ==
        "rank 3 was asked for seed 0 and rank 0 for seed 18446744073709551615; all ranks must be given the "
        "same "
        "request");
  CHECK(difference([](Asked& a) { a.add_contents("prompt 1", 5); },
                   [](Asked& a) { a.add_contents("prompt 1", 6); }) ==
        "rank 3 was asked for another prompt 1 than rank 0; all ranks must be given the same request");
  CHECK(difference([](Asked& a) { a.add("a trace"); }, [](Asked& a) { a.add("no trace"); }) ==
        "rank 3 was asked for no trace and rank 0 for a trace; all ranks must be given the same request");
  CHECK(Asked::difference(Asked("request").text(), Asked("evaluation").text(), 1) ==
        "rank 1 was asked for an evaluation and rank 0 for a request; all ranks must be given the same "
        "request");
}
