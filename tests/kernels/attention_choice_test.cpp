// The tilings that attention on sm_90a chooses for the shapes of HunyuanDiT: 16 heads of 88, and two images
// because of guidance.
#include "weft/attention/sm90/choice.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

using weft::Index;
using namespace weft::kernels::sm90;

namespace {

constexpr int head_dim = 88, h100_sxm = 132, h100_pcie = 114;
constexpr Index text = 333;  // keys

struct Expected {
  const char* of;
  Index queries, keys, sequences;
  std::string on_sxm, on_pcie;
};

// 1024 px are 4096 tokens, 2048 px 16384. With cfg2 a rank has one image, with ulysses2 half of the heads,
// with ring2 half of the queries and, at a time, half of the keys.
const std::vector<Expected> flagship{
    {"1024 px", 4096, 4096, 32, "wide", "wide"},
    {"1024 px, cfg2 or ulysses2", 4096, 4096, 16, "wide", "wide"},
    {"1024 px, ring2", 2048, 2048, 32, "wide", "wide"},
    {"1024 px, cfg2 ulysses2", 4096, 4096, 8, "wide", "tall"},
    {"1024 px, cfg2, a patch of 8", 512, 4096, 16, "wide, halved", "wide"},
    {"1024 px, text", 4096, text, 32, "resident", "narrow"},
    {"1024 px, text, cfg2", 4096, text, 16, "resident", "resident"},
    {"1024 px, text, ulysses2 or ring2", 2048, text, 32, "resident", "resident"},
    {"1024 px, text, cfg2, a patch of 8", 512, text, 16, "narrow", "narrow"},
    {"2048 px", 16384, 16384, 32, "tall", "tall"},
    {"2048 px, cfg2 or ulysses2", 16384, 16384, 16, "tall", "wide"},
    {"2048 px, ring2", 8192, 8192, 32, "tall", "wide"},
    {"2048 px, cfg2 ulysses2", 16384, 16384, 8, "wide", "wide"},
    {"2048 px, text", 16384, text, 32, "resident", "resident"},
    {"2048 px, text, cfg2", 16384, text, 16, "resident", "resident"},
    {"2048 px, text, ulysses2 or ring2", 8192, text, 32, "resident", "narrow"},
};

constexpr TilingName names[] = {TilingName::wide, TilingName::narrow, TilingName::tall, TilingName::resident};

/// Returns the tiling, and whether the last round has the keys in halves.
std::string taken_by(const AttentionSize& size, int multiprocessors) {
  const Plan plan = choose(size, multiprocessors);
  return to_string(plan.tiling) + std::string(plan.halved > 0 ? ", halved" : "");
}

}  // namespace

TEST_CASE("attention's choice: the flagship shapes take the tilings that are fastest for them") {
  std::set<std::string> taken;
  for (const Expected& expected : flagship) {
    CAPTURE(expected.of);
    const AttentionSize size{expected.queries, expected.keys, expected.sequences, head_dim};
    CHECK(taken_by(size, h100_sxm) == expected.on_sxm);
    CHECK(taken_by(size, h100_pcie) == expected.on_pcie);
    taken.insert(to_string(choose(size, h100_sxm).tiling));
  }
  CHECK(taken.size() == std::size(names));
}

TEST_CASE("attention's choice: no plan that runs costs less") {
  for (const int head : {16, 88, 96, 128})
    for (const Index queries : {1, 5, 128, 700, 5000, 16384})
      for (const Index keys : {1, 128, 129, 333, 16384})
        for (const Index sequences : {1, 16, 64})
          for (const int multiprocessors : {1, 78, 132}) {
            const AttentionSize size{queries, keys, sequences, head};
            const Plan best = choose(size, multiprocessors);
            CHECK(best.runs());
            for (const TilingName name : names) CHECK(best.cost <= plan(name, size, multiprocessors).cost);
            CHECK((best.tiling != TilingName::tall || head <= 88));
          }
}

TEST_CASE(
    "attention's choice: every tile of queries is taken once, by clusters that run at once where keys are "
    "halved") {
  for (const TilingName name : {TilingName::wide, TilingName::narrow, TilingName::tall})
    for (const Index queries : {5, 250, 700, 4096, 5000})
      for (const Index sequences : {1, 16, 19, 64, 70})
        for (const int multiprocessors : {2, 114, 132}) {
          const AttentionSize size{queries, 4096, sequences, head_dim};
          const Plan some = plan(name, size, multiprocessors),
                     whole = plan(name, size, multiprocessors, false);
          CHECK(some.cost <= whole.cost);
          CHECK(whole.halved == 0);
          const Index tiles =
              (queries + tiling_of(name, head_dim).rows() - 1) / tiling_of(name, head_dim).rows();
          if (some.halved == 0) {
            CHECK(some.clusters == whole.clusters);
          } else if (some.clusters == 0) {
            CHECK(some.halved == tiles * sequences);
          } else {
            CHECK(some.clusters % some.at_once == 0);
            CHECK(2 * some.clusters + some.halved == 2 * whole.clusters);
          }
          CHECK(some.halved <= some.at_once);
        }
}

TEST_CASE(
    "attention's choice: keys are halved only where half of the multiprocessors would idle, and each half "
    "has keys") {
  const auto halved = [](const AttentionSize& size) { return plan(TilingName::wide, size, h100_sxm).halved; };
  CHECK(halved({512, 4096, 16, head_dim}) == 64);
  CHECK(halved({512, 128, 16, head_dim}) == 0);
  CHECK(halved({1024, 4096, 16, head_dim}) == 0);
  CHECK(halved({4608, 4608, 12, 128}) ==
        36);  // FLUX.1 at 1024 px on two GPUs: 216 = 3 · 66 + 18 pairs of tiles
}

TEST_CASE("attention's choice: a plan prints as a sentence") {
  CHECK(to_string(choose({16384, 16384, 32, head_dim}, h100_sxm)) ==
        "tall: 1376 tiles of clusters, 0 with halved keys, 66 at once");
  CHECK(to_string(plan(TilingName::resident, {512, 4096, 16, head_dim}, h100_sxm)) ==
        "resident: does not run");
}
