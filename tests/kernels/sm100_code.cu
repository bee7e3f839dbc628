// Attention for sm_100a, of which sm100_code_test.sh looks at the code.
#include "weft/attention.cuh"

using namespace weft;

namespace {

template <int HeadDim, class E>
void attend(View<const E, 4> q, View<const E, 4> k, const Stretches<E, 4>& out, const KeyMask& mask) {
  kernels::attention<HeadDim, E, E>(nullptr, q, k, k, out, {}, Output::replace, mask);
}

}  // namespace

void attend_88(View<const __nv_bfloat16, 4> q, const Stretches<__nv_bfloat16, 4>& out, const KeyMask& mask) {
  attend<88>(q, q, out, mask);
}
void attend_128(View<const __half, 4> q, const Stretches<__half, 4>& out, const KeyMask& mask) {
  attend<128>(q, q, out, mask);
}
