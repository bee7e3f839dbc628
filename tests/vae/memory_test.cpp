// The memory that a rank takes for its band.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "toy_autoencoder.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/launch.hpp"
#include "weft/vae/decode.hpp"

namespace {

using weft::Index;

thread_local Index taken = 0, peak = 0;  // bytes of this rank's buffers

/// The Host backend, which counts the memory of a rank's buffers.
struct Counting : weft::Host {
  template <class T>
  class Buffer : public weft::Host::Buffer<T> {
   public:
    Buffer() = default;
    Buffer(Queue& queue, Index size)
        : weft::Host::Buffer<T>(queue, size), bytes_(size * static_cast<Index>(sizeof(T))) {
      taken += bytes_;
      peak = std::max(peak, taken);
    }
    Buffer(Buffer&& other) noexcept
        : weft::Host::Buffer<T>(std::move(other)), bytes_(std::exchange(other.bytes_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
      weft::Host::Buffer<T>::operator=(std::move(other));
      taken -= std::exchange(bytes_, std::exchange(other.bytes_, 0));
      return *this;
    }
    ~Buffer() { taken -= bytes_; }

   private:
    Index bytes_ = 0;
  };
};

/// Returns the most bytes that a rank's buffers hold at once.
Index most_on_a_rank(const weft::AutoencoderKL<Counting>& model, const weft::Tensor& latents, int ranks) {
  std::atomic<Index> most = 0;
  weft::launch(ranks, [&](weft::threads::World& world) {
    taken = peak = 0;
    static_cast<void>(weft::decode(model, latents, world));
    CHECK(taken == 0);
    for (Index before = most; before < peak && !most.compare_exchange_weak(before, peak);) continue;
  });
  return most;
}

}  // namespace

TEST_CASE("decode: a rank's memory falls with the ranks") {
  const ToyAutoencoder toy({{"block_out_channels", {8, 16, 16, 16}}, {"norm_num_groups", 4}});
  const TemporaryFolder folder;
  const weft::AutoencoderKL<Counting> model(toy.write(folder));
  const weft::Tensor latents({1, 4, 32, 32});
  const Index pixels = 256 * 256, image = 3 * pixels * 4;  // rank 0 collects the image
  // The first resnet of the last block: its input of 16 channels, what is between, and its output, of 8 each.
  const Index alone = most_on_a_rank(model, latents, 1) - image;
  MESSAGE("bytes of buffers on one rank: ", alone);
  CHECK(alone >= (16 + 8 + 8) * pixels * 4);
  CHECK(100 * alone <= 102 * (16 + 8 + 8) * pixels * 4);
  for (const int ranks : {2, 4, 8, 16, 32}) {
    const Index share = most_on_a_rank(model, latents, ranks) - image;
    MESSAGE("on each of ", ranks, ": ", share);
    CHECK(10 * ranks * share <= 13 * alone);
  }
}
