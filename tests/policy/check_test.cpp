#include "weft/policy/check.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "weft/policy/cfg_parallel.hpp"
#include "weft/policy/data_parallel.hpp"
#include "weft/policy/pipefusion.hpp"
#include "weft/policy/ring.hpp"
#include "weft/policy/step_cache.hpp"
#include "weft/policy/tensor_parallel.hpp"
#include "weft/policy/ulysses.hpp"

using weft::Axis;
using weft::check;
using weft::Demand;
using weft::DitShape;
using weft::Index;
using weft::Mesh;
using weft::MeshFault;
using weft::RingCache;

namespace {

using All = weft::DataParallel<
    weft::CfgParallel<weft::PipeFusion<weft::TensorParallel<weft::Ulysses<weft::Ring<>>>>>>;

constexpr DitShape folded{.blocks = 40, .heads = 16, .placement = weft::Placement::folded};
constexpr DitShape contiguous{.blocks = 5, .heads = 6};
constexpr DitShape sliced{.blocks = 5, .heads = 6, .kv_heads = 3, .ffn = 64};
constexpr Demand demand{.prompts = 4, .branches = 2, .tokens = 1024, .steps = 50};

template <class Parallel = All>
constexpr std::optional<MeshFault> fault_of(const Mesh& mesh, const DitShape& model = folded,
                                            const Demand& numbers = demand) {
  return check<Parallel>(mesh, model, numbers, mesh.ranks());
}

struct Row {
  MeshFault fault;
  const char* sentence;
};

}  // namespace

static_assert(!fault_of<weft::Local>(Mesh{}));
static_assert(!fault_of(Mesh{.data = 4, .cfg = 2, .pipe = 20, .ulysses = 16, .ring = 7}));
static_assert(!fault_of(Mesh{.pipe = 3, .ulysses = 5, .ring = 3, .patches = 11, .warmup = 4}));
static_assert(!fault_of(Mesh{.pipe = 5, .ulysses = 6}, contiguous));
static_assert(!fault_of(Mesh{.ulysses = 2, .tensor = 2}, sliced));
static_assert(!fault_of(Mesh{.patches = 1024}));
static_assert(!fault_of(Mesh{.ring = 2, .ring_cache = RingCache::copy}));
static_assert(!fault_of(Mesh{.patches = 2, .warmup = 4}));

static_assert(fault_of(Mesh{.data = 0}) == MeshFault{MeshFault::degree, Axis::data, 0, 1});
static_assert(fault_of(Mesh{.cfg = -1}) == MeshFault{MeshFault::degree, Axis::cfg, -1, 1});
static_assert(fault_of(Mesh{.pipe = 0}) == MeshFault{MeshFault::degree, Axis::pipe, 0, 1});
static_assert(fault_of(Mesh{.ulysses = 0}) == MeshFault{MeshFault::degree, Axis::ulysses, 0, 1});
static_assert(fault_of(Mesh{.tensor = 0}) == MeshFault{MeshFault::degree, Axis::tensor, 0, 1});
static_assert(fault_of(Mesh{.ring = -3}) == MeshFault{MeshFault::degree, Axis::ring, -3, 1});

static_assert(fault_of<weft::CfgParallel<>>(Mesh{.data = 2}) ==
              MeshFault{MeshFault::missing_policy, Axis::data, 2});
static_assert(fault_of<weft::Ulysses<>>(Mesh{.cfg = 2}) ==
              MeshFault{MeshFault::missing_policy, Axis::cfg, 2});
static_assert(fault_of<weft::Ulysses<>>(Mesh{.pipe = 3}) ==
              MeshFault{MeshFault::missing_policy, Axis::pipe, 3});
static_assert(fault_of<weft::Ulysses<>>(Mesh{.ring = 4}) ==
              MeshFault{MeshFault::missing_policy, Axis::ring, 4});
static_assert(fault_of<weft::Ring<>>(Mesh{.ulysses = 5}) ==
              MeshFault{MeshFault::missing_policy, Axis::ulysses, 5});
static_assert(fault_of<weft::Ring<>>(Mesh{.tensor = 2}) ==
              MeshFault{MeshFault::missing_policy, Axis::tensor, 2});
static_assert(fault_of<weft::Ring<>>(Mesh{.patches = 6}) ==
              MeshFault{MeshFault::missing_policy, Axis::pipe, 6});

constexpr Demand reusing{.prompts = 4, .tokens = 1024, .steps = 50, .reuses_steps = true};
static_assert(fault_of(Mesh{}, folded, reusing) == MeshFault{MeshFault::step_cache});
static_assert(!fault_of<weft::StepCache<>>(Mesh{}, folded, reusing));

static_assert(check<All>(Mesh{.cfg = 2, .ring = 2}, folded, demand, 8) ==
              MeshFault{MeshFault::world, Axis::data, 4, 8});
static_assert(fault_of(Mesh{.data = 5}) == MeshFault{MeshFault::data, Axis::data, 5, 4});
static_assert(fault_of(Mesh{.cfg = 3}) == MeshFault{MeshFault::cfg, Axis::cfg, 3, 2});
static_assert(fault_of(Mesh{.pipe = 21}) == MeshFault{MeshFault::pipe, Axis::pipe, 21, 20});
static_assert(fault_of(Mesh{.pipe = 6}, contiguous) == MeshFault{MeshFault::pipe, Axis::pipe, 6, 5});
static_assert(fault_of(Mesh{.ulysses = 17}) == MeshFault{MeshFault::ulysses, Axis::ulysses, 17, 16});
static_assert(fault_of(Mesh{.tensor = 4}, sliced) == MeshFault{MeshFault::tensor, Axis::tensor, 4, 3});
static_assert(fault_of(Mesh{.tensor = 5}, {.heads = 16, .ffn = 64}) ==
              MeshFault{MeshFault::tensor, Axis::tensor, 5, 4});
static_assert(fault_of(Mesh{.ulysses = 3, .tensor = 2}, sliced) ==
              MeshFault{MeshFault::heads_of_slice, Axis::ulysses, 3, 2});
static_assert(fault_of(Mesh{.pipe = 4, .patches = 3}) == MeshFault{MeshFault::patches_few, Axis::pipe, 3, 4});
static_assert(fault_of(Mesh{.patches = -1}) == MeshFault{MeshFault::patches_few, Axis::pipe, -1, 1});
static_assert(fault_of(Mesh{.patches = 1025}) == MeshFault{MeshFault::patches_many, Axis::pipe, 1025, 1024});
static_assert(fault_of(Mesh{.pipe = 2, .warmup = 0}) == MeshFault{MeshFault::warmup, Axis::pipe, 0, 1});
static_assert(fault_of(Mesh{.warmup = 0}) == MeshFault{MeshFault::idle_warmup, Axis::pipe, 0, 1});
static_assert(fault_of(Mesh{.ring = 2, .patches = 1, .warmup = 3}) ==
              MeshFault{MeshFault::idle_warmup, Axis::pipe, 3, 1});
static_assert(fault_of(Mesh{.pipe = 2, .ring_cache = RingCache::rotate}) ==
              MeshFault{MeshFault::idle_ring_cache, Axis::ring, static_cast<Index>(RingCache::rotate)});

TEST_CASE("check: the largest degrees do not overflow") {
  constexpr int most = std::numeric_limits<int>::max();
  constexpr Mesh mesh{.data = most, .cfg = most, .pipe = most, .ulysses = most, .ring = most};
  static_assert(check<All>(mesh, folded, demand, 8)->rule == MeshFault::world);
}

TEST_CASE("check: the first violated rule in their order is returned") {
  CHECK(fault_of<weft::Ring<>>(Mesh{.data = 0, .cfg = 2})->rule == MeshFault::degree);
  CHECK(check<weft::Ring<>>(Mesh{.cfg = 2}, folded, demand, 7)->rule == MeshFault::missing_policy);
  CHECK(check<All>(Mesh{.data = 5}, folded, demand, 7)->rule == MeshFault::world);
}

TEST_CASE("to_string: every fault is a sentence with its value, its limit and a mesh that works") {
  const std::vector<Row> rows{
      {{MeshFault::degree, Axis::ring, 0, 1},
       "the mesh has ring 0, and a degree is at least 1; 1 leaves that method out"},
      {{MeshFault::missing_policy, Axis::cfg, 2, 0},
       "the mesh or its patches need a policy for cfg, which this stack of policies lacks; add it, or use "
       "cfg 1"},
      {{MeshFault::step_cache},
       "the request has steps that leave blocks out, and this stack of policies lacks StepCache; add it "
       "outside of PipeFusion, or leave the request's reuse empty"},
      {{MeshFault::world, Axis::data, 4, 8},
       "the degrees of the mesh multiply to 4, and there are 8 ranks; they must multiply to 8"},
      {{MeshFault::world, Axis::data, 4, 1},
       "the degrees of the mesh multiply to 4, and there is 1 rank; they must multiply to 1"},
      {{MeshFault::data, Axis::data, 5, 4},
       "the mesh has data 5, and there are 4 prompts; use data 4 or fewer"},
      {{MeshFault::data, Axis::data, 5, 1},
       "the mesh has data 5, and there is 1 prompt; use data 1 or fewer"},
      {{MeshFault::cfg, Axis::cfg, 3, 2},
       "the mesh has cfg 3, and there are 2 guidance branches; use cfg 2 or fewer"},
      {{MeshFault::cfg, Axis::cfg, 2, 1},
       "the mesh has cfg 2, and without guidance there is 1 branch to evaluate; use cfg 1, or guidance above "
       "1 "
       "with negative prompts"},
      {{MeshFault::pipe, Axis::pipe, 21, 20},
       "the mesh has pipe 21, and the blocks of this model make at most 20 stages; use pipe 20 or fewer"},
      {{MeshFault::ulysses, Axis::ulysses, 17, 16},
       "the mesh has ulysses 17, and the model has 16 heads; use ulysses 16 or fewer, and ring for the rest"},
      {{MeshFault::heads_of_slice, Axis::ulysses, 3, 2},
       "the mesh has ulysses 3, and a slice of the model has 2 heads; use ulysses 2 or fewer, or fewer "
       "slices"},
      {{MeshFault::tensor, Axis::tensor, 17, 16},
       "the mesh has tensor 17, and the matrices of this model's blocks can be cut into 16 slices, by heads "
       "and "
       "by hidden features; use tensor 16 or fewer"},
      {{MeshFault::patches_few, Axis::pipe, 3, 4},
       "the image is cut into 3 patches, and there must be as many as stages, 4, or more; use 4"},
      {{MeshFault::patches_many, Axis::pipe, 2000, 1024},
       "the image is cut into 2000 patches, and it has 1024 tokens; use that many patches or fewer"},
      {{MeshFault::warmup, Axis::pipe, 0, 1},
       "there are 0 warm-up steps, and the first patches need the keys of at least 1"},
      {{MeshFault::idle_warmup, Axis::pipe, 3, 1},
       "warmup 3 needs an image in several patches; use pipe or patches above 1, or warmup 1"},
      {{MeshFault::idle_ring_cache, Axis::ring, static_cast<Index>(RingCache::copy)},
       "ring cache copy needs several ranks round a ring; use ring above 1, or ring cache automatic"},
  };
  for (const Row& row : rows) CHECK(to_string(row.fault) == row.sentence);
}
