// The encoders on the host, against transformers.
#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "encoder_goldens.hpp"
#include "weft/backend/host.hpp"

TEST_CASE("TextEncoder: the states of transformers' BERT, T5 and both of CLIP, and CLIP's pooled outputs") {
  weft::host::Queue queue(2);
  check_encoders<weft::Host>(queue, 1e-5);
}
