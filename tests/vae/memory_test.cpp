// The memory that a rank takes for its band, and the planned memory.
#include "weft/vae/memory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "../counted_host.hpp"
#include "toy_autoencoder.hpp"
#include "weft/comm/launch.hpp"
#include "weft/vae/image_decoder.hpp"

namespace {

using weft::Index;

/// Returns the most bytes that each rank's buffers hold at once.
std::vector<Index> most_on_ranks(const weft::AutoencoderKL<CountedHost>& model, const weft::Tensor& latents,
                                 int ranks) {
  std::vector<Index> most(static_cast<std::size_t>(ranks));
  weft::launch(ranks, [&](weft::threads::World& world) {
    const Index before = HeldBytes::peak = HeldBytes::now;  // of the caller's, if this is its thread
    static_cast<void>(weft::ImageDecoder(model, world).decode(latents));
    CHECK(HeldBytes::now == before);
    most[static_cast<std::size_t>(world.rank())] = HeldBytes::peak - before;
  });
  return most;
}

const ToyAutoencoder four_levels({{"block_out_channels", {8, 16, 16, 16}}, {"norm_num_groups", 4}});

}  // namespace

TEST_CASE("decode: a rank's memory falls with the ranks") {
  const TemporaryFolder folder;
  const weft::AutoencoderKL<CountedHost> model(four_levels.write(folder));
  const weft::Tensor latents({1, 4, 32, 32});
  const Index pixels = 256 * 256, image = 3 * pixels * 4;
  const auto most = [&model, &latents](int ranks) {
    return std::ranges::max(most_on_ranks(model, latents, ranks));
  };
  // The first resnet of the last block: its input of 16 channels, what is between, and its output, of 8 each.
  const Index alone = most(1);
  MESSAGE("bytes of buffers on one rank: ", alone);
  CHECK(alone >= (16 + 8 + 8) * pixels * 4);
  CHECK(100 * alone <= 102 * (16 + 8 + 8) * pixels * 4);
  for (const int ranks : {2, 4, 8, 16, 32}) {
    const Index share = most(ranks);
    MESSAGE("on each of ", ranks, ": ", share);
    CHECK(share <= std::max(13 * alone / (10 * ranks), 3 * image));  // rank 0 collects it, and has its planes
  }
}

TEST_CASE("decoder_memory: what buffers hold, on every rank of uneven and empty bands") {
  const TemporaryFolder folder;
  const Index before = HeldBytes::now;
  const weft::AutoencoderKL<CountedHost> model(four_levels.write(folder));
  const Index weights = HeldBytes::now - before;
  for (const auto& [height, width] : {std::pair<Index, Index>{32, 32}, {9, 40}, {21, 6}})
    for (const int ranks : {1, 2, 3, 5, 8, 11}) {
      CAPTURE(height);
      CAPTURE(ranks);
      const std::vector<Index> held = most_on_ranks(model, weft::Tensor({2, 4, height, width}), ranks);
      const auto planned = weft::vae::decoder_memory<float>(model.config(), height, width, ranks);
      REQUIRE(planned.size() == held.size());
      for (std::size_t rank = 0; rank < held.size(); ++rank) {
        CAPTURE(rank);
        CHECK(planned[rank].weights == weights);
        CHECK(static_cast<double>(planned[rank].activations) ==
              doctest::Approx(static_cast<double>(held[rank])).epsilon(0.01));
      }
    }
}

TEST_CASE("decoder_memory: elements of half the size take half the memory") {
  const weft::AutoencoderConfig config = four_levels.config();
  const auto wide = weft::vae::decoder_memory<float>(config, 32, 32, 2),
             narrow = weft::vae::decoder_memory<weft::counting::Number<2>>(config, 32, 32, 2);
  for (std::size_t rank = 0; rank < 2; ++rank) {
    CHECK(static_cast<double>(narrow[rank].activations) ==
          doctest::Approx(0.5 * static_cast<double>(wide[rank].activations)).epsilon(0.01));
    CHECK(narrow[rank].weights < wide[rank].weights);
  }
}
