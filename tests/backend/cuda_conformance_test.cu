// The Cuda backends pass the conformance tests of operators.hpp.
#include "conformance/attention.hpp"
#include "conformance/copies.hpp"
#include "conformance/elementwise.hpp"
#include "conformance/heads.hpp"
#include "conformance/image.hpp"
#include "conformance/linear.hpp"
#include "conformance/norm.hpp"
#include "conformance/project_heads.hpp"
#include "conformance/sampler.hpp"
#include "weft/backend/cuda.cuh"

namespace conformance {

using Float = weft::Cuda<float>;
using Bfloat16 = weft::Cuda<__nv_bfloat16, 16>;
using Half = weft::Cuda<__half, 16>;
using E4m3 = weft::Cuda<__nv_fp8_e4m3>;
using E4m3Heads = weft::Cuda<__nv_fp8_e4m3, 16>;

TEST_CASE_TEMPLATE_INVOKE(linear_conformance, Float, Bfloat16, Half, E4m3);
TEST_CASE_TEMPLATE_INVOKE(linear_slice_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(activate_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(add_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(sum_copies_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(gated_unit_conformance, Float, Bfloat16, Half, E4m3);
TEST_CASE_TEMPLATE_INVOKE(modulate_conformance, Float, Bfloat16, Half, E4m3);
TEST_CASE_TEMPLATE_INVOKE(norm_conformance, Float, Bfloat16, Half, E4m3);
TEST_CASE_TEMPLATE_INVOKE(norm_pair_conformance, Float, Bfloat16, Half, E4m3);
TEST_CASE_TEMPLATE_INVOKE(norm_offset_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(norm_rotate_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(move_heads_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(project_heads_conformance, Float, Bfloat16, Half, E4m3);
TEST_CASE_TEMPLATE_INVOKE(attention_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(attention_groups_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(attention_mask_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(attention_logits_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(attention_merge_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(attention_stretches_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(attention_operands_conformance, Bfloat16, E4m3Heads);
TEST_CASE_TEMPLATE_INVOKE(attention_contract_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(copy_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(fill_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(upload_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(noise_conformance, Float);
TEST_CASE_TEMPLATE_INVOKE(guide_conformance, Float);
TEST_CASE_TEMPLATE_INVOKE(weigh_conformance, Float);
TEST_CASE_TEMPLATE_INVOKE(moments_conformance, Float);
TEST_CASE_TEMPLATE_INVOKE(rescale_conformance, Float);
TEST_CASE_TEMPLATE_INVOKE(denoise_conformance, Float);
TEST_CASE_TEMPLATE_INVOKE(bound_conformance, Float);
TEST_CASE_TEMPLATE_INVOKE(quantile_conformance, Float);
TEST_CASE_TEMPLATE_INVOKE(group_moments_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(to_planes_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(group_norm_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(convolve_conformance, Float, Bfloat16, Half);

}  // namespace conformance
