#include "agreement.hpp"

#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/solo.hpp"

using weft::InputSummary;

TEST_CASE("Agreement: all ranks that are threads throw if the input of one differs") {
  for (const int ranks : {1, 2, 3, 8})
    weft::launch(ranks, [](weft::threads::World& world) { check_agreement<weft::Host>(world); });
}

TEST_CASE("Agreement: makes no summary in a world of one rank") {
  weft::Solo<weft::host::Queue> world;
  weft::host::Queue queue;
  weft::Agreement<weft::Host, weft::Solo<weft::host::Queue>> agreement(queue, world);
  agreement.check([]() -> InputSummary { throw std::logic_error("called"); });
}

TEST_CASE("InputSummary: names the first entry that differs, with numbers in their shortest form") {
  const auto difference = [](const auto& fill_first, const auto& fill_other) {
    InputSummary first("request"), other("request");
    fill_first(first);
    fill_other(other);
    return InputSummary::difference(first.text(), other.text(), 3);
  };
  CHECK(difference([](InputSummary& a) { a.add("seed", 0.1f), a.add("size", 1); },
                   [](InputSummary& a) { a.add("seed", 0.1f + 1e-8f), a.add("size", 2); }) ==
        "rank 3 was asked for seed 0.10000001 and rank 0 for seed 0.1; all ranks must be given the same "
        "request");
  CHECK(difference([](InputSummary& a) { a.add("seed", std::uint64_t{18446744073709551615u}); },
                   [](InputSummary& a) { a.add("seed", std::uint64_t{0}); }) ==
        "rank 3 was asked for seed 0 and rank 0 for seed 18446744073709551615; all ranks must be given the "
        "same "
        "request");
  CHECK(difference([](InputSummary& a) { a.add_contents("prompt 1", 5); },
                   [](InputSummary& a) { a.add_contents("prompt 1", 6); }) ==
        "rank 3 was asked for another prompt 1 than rank 0; all ranks must be given the same request");
  CHECK(difference([](InputSummary& a) { a.add("a trace"); }, [](InputSummary& a) { a.add("no trace"); }) ==
        "rank 3 was asked for no trace and rank 0 for a trace; all ranks must be given the same request");
  CHECK(InputSummary::difference(InputSummary("request").text(), InputSummary::end().text(), 2) ==
        "rank 2 has ended, and rank 0 asks for a request; all ranks must ask for as many");
  CHECK(InputSummary::difference(InputSummary::end().text(), InputSummary("evaluation").text(), 1) ==
        "rank 0 has ended, and rank 1 asks for an evaluation; all ranks must ask for as many");
  CHECK(InputSummary::difference(InputSummary("request").text(), InputSummary("evaluation").text(), 1) ==
        "rank 1 was asked for an evaluation and rank 0 for a request; all ranks must be given the same "
        "request");
}
