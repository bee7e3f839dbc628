// Conformance of the Host backend.
#include "conformance/attention.hpp"
#include "conformance/copies.hpp"
#include "conformance/elementwise.hpp"
#include "conformance/heads.hpp"
#include "conformance/image.hpp"
#include "conformance/linear.hpp"
#include "conformance/norm.hpp"
#include "conformance/project_heads.hpp"
#include "conformance/sampler.hpp"
#include "conformance/text.hpp"
#include "weft/backend/host.hpp"

namespace conformance {

TEST_CASE_TEMPLATE_INVOKE(linear_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(linear_slice_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(activate_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(add_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(sum_copies_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(gated_unit_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(modulate_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(norm_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(norm_pair_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(norm_offset_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(norm_rotate_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(move_heads_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(project_heads_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(attention_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(attention_groups_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(attention_mask_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(attention_logits_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(attention_merge_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(attention_stretches_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(attention_operands_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(attention_contract_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(copy_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(fill_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(upload_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(noise_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(guide_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(weigh_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(moments_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(rescale_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(denoise_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(bound_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(quantile_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(group_moments_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(to_planes_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(group_norm_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(convolve_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(text_attention_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(add_linear_conformance, weft::Host);
TEST_CASE_TEMPLATE_INVOKE(norm_stream_conformance, weft::Host);

}  // namespace conformance
