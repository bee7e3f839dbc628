// How attention is launched: the tilings that it chooses on sm_90a for the shapes of HunyuanDiT, 16 heads of
// 88 and two images because of guidance; and what sm_100a takes.
#include "weft/attention/sm90/choice.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "weft/attention/sm100/choice.hpp"
#include "weft/sm100/descriptors.hpp"

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
    {"1024 px, cfg2 or ulysses2", 4096, 4096, 16, "wide", "wide, then split"},
    {"1024 px, ring2", 2048, 2048, 32, "wide", "wide, then split"},
    {"1024 px, cfg2 ulysses2", 4096, 4096, 8, "wide", "wide, then split"},
    {"1024 px, cfg2, a patch of 8", 512, 4096, 16, "split", "wide"},
    {"1024 px, text", 4096, text, 32, "resident", "narrow"},
    {"1024 px, text, cfg2", 4096, text, 16, "resident", "resident"},
    {"1024 px, text, ulysses2 or ring2", 2048, text, 32, "resident", "resident"},
    {"1024 px, text, cfg2, a patch of 8", 512, text, 16, "narrow", "narrow"},
    {"2048 px", 16384, 16384, 32, "tall", "tall, then tall_split"},
    {"2048 px, cfg2 or ulysses2", 16384, 16384, 16, "tall, then tall_split", "tall, then tall_split"},
    {"2048 px, ring2", 8192, 8192, 32, "tall", "wide"},
    {"2048 px, cfg2 ulysses2", 16384, 16384, 8, "wide", "wide"},
    {"2048 px, text", 16384, text, 32, "resident", "resident"},
    {"2048 px, text, cfg2", 16384, text, 16, "resident", "resident"},
    {"2048 px, text, ulysses2 or ring2", 8192, text, 32, "resident", "narrow"},
};

constexpr TilingName names[] = {TilingName::wide, TilingName::narrow,     TilingName::split,
                                TilingName::tall, TilingName::tall_split, TilingName::resident};

/// Returns the tilings of a plan's launches.
std::string launches(const Plan& plan) {
  const std::string own = to_string(plan.tiling);
  return plan.leaves_rest() ? own + ", then " + to_string(plan.rest().tiling) : own;
}

}  // namespace

TEST_CASE("attention's choice: the flagship shapes take the tilings that are fastest for them") {
  std::set<std::string> taken;
  for (const Expected& expected : flagship) {
    CAPTURE(expected.of);
    const AttentionSize size{expected.queries, expected.keys, expected.sequences, head_dim};
    const Plan on_sxm = choose(size, h100_sxm);
    CHECK(launches(on_sxm) == expected.on_sxm);
    CHECK(launches(choose(size, h100_pcie)) == expected.on_pcie);
    taken.insert(to_string(on_sxm.tiling));
    if (on_sxm.leaves_rest()) taken.insert(to_string(on_sxm.rest().tiling));
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

TEST_CASE("attention's choice: what full rounds leave is taken by clusters that all run at once") {
  int left = 0;
  for (const TilingName name : {TilingName::wide, TilingName::tall})
    for (const Index queries : {250, 700, 4096, 4608, 5000, 16384})
      for (const Index sequences : {12, 16, 19, 32, 70})
        for (const int multiprocessors : {78, 114, 132}) {
          const AttentionSize size{queries, 4096, sequences, head_dim};
          const Plan some = plan(name, size, multiprocessors),
                     whole = plan(name, size, multiprocessors, LastRound::whole);
          CHECK(some.cost <= whole.cost);
          CHECK_FALSE(whole.leaves_rest());
          if (!some.leaves_rest()) continue;
          ++left;
          const Plan rest = some.rest();
          CHECK(some.clusters % some.at_once == 0);
          CHECK(some.end == some.clusters * tiling_of(name, head_dim).sharing);
          CHECK(rest.begin == some.end);
          CHECK(rest.end == whole.end);
          CHECK(rest.clusters == rest.end - rest.begin);
          CHECK(rest.clusters <= rest.at_once);
          CHECK(tiling_of(rest.tiling, head_dim).rows() == tiling_of(name, head_dim).rows());
        }
  CHECK(left > 0);
}

TEST_CASE(
    "attention's choice: keys are split only where every cluster runs at once and every part has keys") {
  CHECK(plan(TilingName::split, {512, 4096, 16, head_dim}, h100_sxm).runs());
  CHECK_FALSE(plan(TilingName::split, {512, 128, 16, head_dim}, h100_sxm).runs());
  CHECK_FALSE(plan(TilingName::split, {1024, 4096, 16, head_dim}, h100_sxm).runs());
}

TEST_CASE("attention's choice: a plan prints as a sentence") {
  CHECK(to_string(choose({16384, 16384, 32, head_dim}, h100_sxm)) == "tall: 1376 clusters, 66 at once");
  // FLUX.1 at 1024 px on two GPUs: 216 = 3 · 66 + 18 pairs of tiles.
  CHECK(to_string(choose({4608, 4608, 12, 128}, h100_sxm)) ==
        "wide: 198 clusters, 66 at once, then split: 36 clusters, 66 at once");
  CHECK(to_string(plan(TilingName::split, {512, 128, 16, head_dim}, h100_sxm)) == "split: does not run");
}

TEST_CASE("attention on sm_100a: tiles of 256 queries, by as many blocks as run at once") {
  namespace sm100 = weft::kernels::sm100;
  constexpr int b200 = 148;
  struct Expected {
    Index queries, sequences;
    int row_tiles, tiles, blocks;
  };
  for (const Expected& expected : {Expected{4096, 32, 16, 512, b200},
                                   {4096, 8, 16, 128, 128},
                                   {4429, 76, 18, 1368, b200},
                                   {1, 16, 1, 16, 16},
                                   {257, 3, 2, 6, 6}}) {
    const sm100::Plan plan = sm100::plan(expected.queries, expected.sequences, b200);
    CHECK(plan.row_tiles == expected.row_tiles);
    CHECK(plan.tiles == expected.tiles);
    CHECK(plan.blocks == expected.blocks);
  }
}

TEST_CASE("matrix products on sm_100: descriptors have their fields where PTX says") {
  using namespace weft::kernels::sm100;
  const std::uint64_t matrix = matrix_descriptor(0x12340, 0x4000);
  CHECK((matrix & 0xffff) == 0x1234);           // the address
  CHECK((matrix >> 16 & 0xffff) == 0x400);      // the next box of columns
  CHECK((matrix >> 32 & 0x3fff) == 1024 / 16);  // the next eight rows
  CHECK((matrix >> 46 & 7) == 1);               // a constant
  CHECK((matrix >> 49 & 0xfff) == 0);           // no base offset, relative strides
  CHECK((matrix >> 61) == 2);                   // 128-byte swizzle

  const std::uint32_t keys = product_descriptor(true, 128, Rows::along_sum);
  CHECK((keys >> 4 & 3) == 1);   // float32 sums
  CHECK((keys >> 7 & 7) == 1);   // of bfloat16
  CHECK((keys >> 10 & 7) == 1);  // by bfloat16
  CHECK((keys >> 15 & 3) == 0);  // neither transposed
  CHECK((keys >> 17 & 63) == 128 / 8);
  CHECK((keys >> 24) == 128 / 16);
  const std::uint32_t values = product_descriptor(false, 96, Rows::along_columns);
  CHECK((values >> 7 & 63) == 0);  // float16
  CHECK((values >> 15 & 3) == 2);  // values transposed
  CHECK((values >> 17 & 63) == 96 / 8);
}
