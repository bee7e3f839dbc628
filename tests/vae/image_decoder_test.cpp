// A decoder that is kept: what it holds between calls.
#include "weft/vae/image_decoder.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <new>
#include <random>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "../counted_host.hpp"
#include "toy_autoencoder.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/solo.hpp"

namespace {

using weft::Index;
using weft::Tensor;
using CountedKL = weft::AutoencoderKL<CountedHost>;

const ToyAutoencoder two_levels({{"block_out_channels", {8, 12}}, {"norm_num_groups", 4}});

const CountedKL& model() {
  static const TemporaryFolder folder;
  static const CountedKL out(two_levels.write(folder));
  return out;
}

Tensor latents(Index images, Index height, Index width) {
  std::mt19937 generator(static_cast<unsigned>(height));
  return random_tensor(generator, {images, 4, height, width}, 1);
}

/// A world of one rank whose exchanges throw while it fails.
struct FailingWorld : weft::Solo<weft::host::Queue> {
  using Communicator = FailingWorld;
  static inline bool fails = false;

  [[nodiscard]] Event all_to_all(Queue& queue, std::span<const weft::Addressed> sends,
                                 std::span<const weft::Addressed> receives) {
    if (fails) throw std::runtime_error("the exchange has failed");
    return Solo::all_to_all(queue, sends, receives);
  }
  [[nodiscard]] FailingWorld split(std::string_view, const std::vector<int>&) const { return *this; }
};

/// Decodes by a decoder of its own.
template <class World>
Tensor decoded_once(const Tensor& latents, World& world) {
  return weft::ImageDecoder(model(), world).decode(latents);
}

}  // namespace

TEST_CASE("ImageDecoder: any calls of one return what a decoder for each does, bit for bit") {
  for (const int ranks : {1, 3, 7}) {
    CAPTURE(ranks);
    weft::launch(ranks, [](weft::threads::World& world) {
      weft::ImageDecoder decoder(model(), world);
      for (const Tensor& asked :
           {latents(2, 5, 3), latents(2, 5, 3), latents(1, 5, 3), latents(1, 2, 9), latents(3, 5, 3)})
        CHECK(decoder.decode(asked).data == decoded_once(asked, world).data);
    });
  }
}

TEST_CASE("ImageDecoder: a call of the same size takes no memory, and release frees all") {
  for (const int ranks : {1, 3}) {
    CAPTURE(ranks);
    weft::launch(ranks, [](weft::threads::World& world) {
      weft::ImageDecoder decoder(model(), world);
      const Index before = HeldBytes::now;
      const auto allocations_of = [&decoder](const Tensor& asked) {
        const Index allocations = decoder.queue().counts().allocations;
        static_cast<void>(decoder.decode(asked));
        return decoder.queue().counts().allocations - allocations;
      };
      CHECK(allocations_of(latents(1, 5, 3)) == 1);
      const Index held = HeldBytes::now;
      CHECK(held > before);
      CHECK(allocations_of(latents(1, 5, 3)) == 0);
      CHECK(allocations_of(latents(3, 5, 3)) == 0);
      CHECK(HeldBytes::now == held);

      HeldBytes::peak = held;
      CHECK(allocations_of(latents(1, 9, 3)) == 1);
      CHECK(HeldBytes::peak == HeldBytes::now);  // the memory before was free before the next was taken
      decoder.release();
      CHECK(HeldBytes::now == before);
      CHECK(allocations_of(latents(1, 9, 3)) == 1);
    });
  }
}

TEST_CASE("ImageDecoder: after a lack of memory nothing is held, and smaller latents are decoded") {
  weft::Solo<weft::host::Queue> world;
  weft::ImageDecoder decoder(model(), world);
  const Tensor small = latents(1, 4, 4), wanted = decoded_once(small, world);
  static_cast<void>(decoder.decode(small));
  const Index held = HeldBytes::now;
  HeldBytes::limit = held + 100;
  CHECK_THROWS_AS(static_cast<void>(decoder.decode(latents(1, 40, 40))), std::bad_alloc);
  CHECK(HeldBytes::now < held);
  CHECK(decoder.decode(small).data == wanted.data);
  HeldBytes::limit = std::numeric_limits<Index>::max();
}

TEST_CASE("ImageDecoder: after a failure amid an image nothing is held, and the next is decoded") {
  FailingWorld world;
  weft::ImageDecoder decoder(model(), world);
  const Index before = HeldBytes::now;
  const Tensor asked = latents(1, 4, 4), wanted = decoded_once(asked, world);
  FailingWorld::fails = true;
  CHECK_THROWS_AS(static_cast<void>(decoder.decode(asked)), std::runtime_error);
  FailingWorld::fails = false;
  CHECK(HeldBytes::now == before);
  CHECK(decoder.decode(asked).data == wanted.data);
}

TEST_CASE("ImageDecoder: latents that are rejected leave the memory as it is") {
  weft::Solo<weft::host::Queue> world;
  weft::ImageDecoder decoder(model(), world);
  static_cast<void>(decoder.decode(latents(1, 4, 4)));
  const Index allocations = decoder.queue().counts().allocations;
  CHECK_THROWS_AS(static_cast<void>(decoder.decode(Tensor({1, 16, 4, 4}))), weft::InvalidArgument);
  static_cast<void>(decoder.decode(latents(1, 4, 4)));
  CHECK(decoder.queue().counts().allocations == allocations);
}
