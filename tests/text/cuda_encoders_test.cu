// Text encoders and their operators on a CUDA device, against transformers and float64.
#include <doctest/doctest.h>

#include "../backend/conformance/text.hpp"
#include "encoder_goldens.hpp"
#include "weft/backend/cuda.cuh"

namespace conformance {

using Float = weft::Cuda<float>;
using Bfloat16 = weft::Cuda<__nv_bfloat16>;
using Half = weft::Cuda<__half>;

TEST_CASE_TEMPLATE_INVOKE(text_attention_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(add_linear_conformance, Float, Bfloat16, Half);
TEST_CASE_TEMPLATE_INVOKE(norm_stream_conformance, Float, Bfloat16, Half);

}  // namespace conformance

TEST_CASE("TextEncoder: on a CUDA device, the states of transformers' BERT, T5 and CLIP") {
  const auto check = []<class Backend>(std::type_identity<Backend>, double bound) {
    typename Backend::Queue queue;
    check_encoders<Backend>(queue, bound);
  };
  check(std::type_identity<weft::Cuda<float>>(), 1e-5);
  // With operands rounded to these types and all else exact, T5, whose scores are largest, is off by 3.6e-3
  // and by 3.3e-2.
  check(std::type_identity<weft::Cuda<__half>>(), 8e-3);
  check(std::type_identity<weft::Cuda<__nv_bfloat16>>(), 7e-2);
}
