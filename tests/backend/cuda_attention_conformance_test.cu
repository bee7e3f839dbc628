// Attention of the Cuda backends does what every backend's does.
#include "conformance/attention.hpp"
#include "weft/backend/cuda.cuh"

namespace conformance {

using Float = weft::Cuda<float>;
using Bfloat16 = weft::Cuda<__nv_bfloat16, 16>;
using Half = weft::Cuda<__half, 16>;

TEST_CASE_TEMPLATE_INVOKE(attention_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(attention_logits_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(attention_merge_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(attention_contract_conformance, Float, Bfloat16, Half);

}  // namespace conformance
