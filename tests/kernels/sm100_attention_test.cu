// Attention on sm_100a, on a GPU of sm_90a whose tensor cores are emulated: all of the kernel runs but for
// the instructions of tcgen05.
#include "weft/attention/sm100.cuh"

#include <doctest/doctest.h>

#include "attention_cases.cuh"
#include "emulated_tcgen05.cuh"

using namespace weft;
using namespace weft::kernels;
using namespace weft::kernels::test;

namespace {

template <class E, int D>
void compare_all(const std::vector<Shape>& shapes) {
  if (current_tier() != Tier::sm90a) return;
  const auto attend = [](In<E, 4> q, In<E, 4> k, In<E, 4> v, const View<E, 4>& out, const View<float, 3>& lse,
                         Output output, const KeyMask& mask) {
    const AttentionResult<E> result(Stretches<E, 4>(out), lse, output);
    if (k.empty())
      attend_nothing<<<dim3(q.extent[0], q.extent[1], q.extent[2]), warp_size>>>(result, D);
    else
      sm100::launch_attention<EmulatedTcgen05, D>(nullptr, q, k, v, result, mask, D);
  };
  unsigned seed = 0;
  for (const Shape& shape : shapes) compare<E, D>(attend, shape, ++seed % 2 == 0, seed);
}

}  // namespace

TEST_CASE("sm_100's attention in bfloat16 agrees with float32") { compare_all<__nv_bfloat16, 88>(small); }
TEST_CASE("sm_100's attention in float16 agrees with float32") { compare_all<__half, 128>(small); }
TEST_CASE("sm_100's attention merges its output over further keys") {
  compare_all<__nv_bfloat16, 64>(merged);
}
TEST_CASE("sm_100's attention shares heads of keys") { compare_all<__nv_bfloat16, 72>(shared); }
TEST_CASE("sm_100's attention passes over hidden keys") { compare_all<__half, 88>(hidden); }
