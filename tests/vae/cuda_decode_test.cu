// Decoding on one CUDA device, against diffusers.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "weft/backend/cuda.cuh"
#include "weft/comm/solo.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/vae/image_decoder.hpp"

namespace {

/// Checks that decoded images are those of diffusers, up to a root mean square of differences.
template <class Element>
void check_decodes(double bound) {
  const std::filesystem::path golden = std::filesystem::path(WEFT_GOLDENS_DIR) / "vae";
  const weft::AutoencoderKL<weft::Cuda<Element>> model(golden / "model" / "vae");
  const weft::SafeTensors inputs(golden / "inputs.safetensors"), images(golden / "expected.safetensors");
  weft::Solo<weft::cuda::Queue> world;
  weft::ImageDecoder decoder(model, world);
  for (const char* size : {"6x4", "9x7", "9x7", "12x10"}) {
    CAPTURE(size);
    const weft::Tensor image = decoder.decode(inputs.tensor(std::string("latents.") + size)),
                       wanted = images.tensor(std::string("image.") + size);
    REQUIRE(image.shape == wanted.shape);
    double squares = 0;
    for (std::size_t i = 0; i < image.data.size(); ++i)
      squares += std::pow(static_cast<double>(image.data[i]) - static_cast<double>(wanted.data[i]), 2);
    CHECK(std::sqrt(squares / static_cast<double>(image.data.size())) < bound);
  }
}

}  // namespace

TEST_CASE("decode: on a CUDA device, what diffusers decodes") {
  check_decodes<float>(2e-5);
  check_decodes<__half>(5e-3);
  check_decodes<__nv_bfloat16>(5e-2);
}
