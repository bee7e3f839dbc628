// Decoding in processes. mpirun runs this with several.
#include "../comm/mpi_main.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "weft/backend/host.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/vae/image_decoder.hpp"

TEST_CASE("decode: processes decode what diffusers does") {
  const std::filesystem::path golden = std::filesystem::path(WEFT_GOLDENS_DIR) / "vae";
  const weft::AutoencoderKL<weft::Host> model(golden / "model" / "vae");
  const weft::SafeTensors inputs(golden / "inputs.safetensors"), images(golden / "expected.safetensors");
  weft::ImageDecoder decoder(model, *all_processes);
  for (const char* size : {"6x4", "9x7", "9x7", "12x10"}) {
    CAPTURE(size);
    const weft::Tensor image = decoder.decode(inputs.tensor(std::string("latents.") + size));
    CHECK(image.empty() == (all_processes->rank() > 0));
    if (image.empty()) continue;
    const weft::Tensor wanted = images.tensor(std::string("image.") + size);
    REQUIRE(image.shape == wanted.shape);
    double most = 0;
    for (std::size_t i = 0; i < image.data.size(); ++i)
      most =
          std::max(most, std::abs(static_cast<double>(image.data[i]) - static_cast<double>(wanted.data[i])));
    CHECK(most < 2e-5);
  }
}
