// ImageDecoder: latents to images, on all ranks of a world.
#pragma once

#include <array>
#include <numeric>
#include <optional>
#include <vector>

#include "weft/comm/agreement.hpp"
#include "weft/comm/launch.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/on_exception.hpp"
#include "weft/core/progress.hpp"
#include "weft/core/range.hpp"
#include "weft/core/tensor.hpp"
#include "weft/vae/check.hpp"
#include "weft/vae/decoded.hpp"
#include "weft/vae/memory.hpp"

namespace weft::inline v0_1 {

/// Every rank of the world makes one, and all call the same members in the same order; each decodes a band of
/// rows. Queue and memory are kept: latents of as many rows and columns as before, and of any number of
/// images, take no more of either.
///
/// Lifetime: the autoencoder and the world must outlive the decoder. One thread at a time may use it.
///
/// Exceptions: InvalidArgument is thrown before any work, where latents are another model's, or ranks differ
/// in latents or weights. After any other exception, such as a lack of memory, the memory is free, and the
/// decoder can be used again, if all ranks have thrown, as in a world of one rank.
template <ImageBackend BackendType, World WorldType = threads::World>
class ImageDecoder {
 public:
  using Backend = BackendType;
  using World = WorldType;
  using Queue = typename Backend::Queue;

  ImageDecoder(const AutoencoderKL<BackendType>& model, WorldType& world)
      : model_(model),
        world_(world),
        queue_(Backend::queue(world)),
        agreement_(queue_, world_),
        communicator_(world.split("bands", all_of(world))) {}
  ImageDecoder(const AutoencoderKL<BackendType>&&, WorldType&) = delete;  // would outlive the autoencoder

  /// Decodes latents (images, channels, height, width), as a denoiser leaves them: divided by the model's
  /// scaling_factor and shifted by its shift_factor first. Returns the images (images, 3, height · scale,
  /// width · scale), −1 black and 1 white, not clamped, on rank 0, and an empty tensor elsewhere. `progress`
  /// is called on rank 0.
  [[nodiscard]] Tensor decode(const Tensor& latents, const Progress& progress = {}) {
    vae::check(model_.config(), latents);
    agreement_.check([this, &latents] {
      InputSummary out = vae::summary_of(model_.digest(), latents.shape);
      out.add_contents("tensor of latents", latents);
      return out;
    });
    const Index height = latents.shape[2];
    return decoded(latents.view<4>().template slice<2>(split(height, world_.size(), world_.rank())), height,
                   progress);
  }

  /// Does the same where ranks hold the latents in bands, as Engine::latents_band returns them: `band`
  /// (images, channels, rows, width) are this rank's rows split(height, ranks, rank), which may be none.
  [[nodiscard]] Tensor decode_band(const Tensor& band, Index height, const Progress& progress = {}) {
    vae::check_band(model_.config(), band, height, world_.rank(), world_.size());
    agreement_.check([this, &band, height] {
      return vae::summary_of(model_.digest(), {band.shape[0], band.shape[1], height, band.shape[3]});
    });
    return decoded(band.view<4>(), height, progress);
  }

  /// Frees the memory; the next latents take theirs anew.
  void release() {
    size_.reset();
    workspace_ = {};
    queue_.trim();
  }

  const Queue& queue() const { return queue_; }

 private:
  using Communicator = typename World::Communicator;

  /// Frees the memory, of a device that has failed as far as it still can.
  void release_after_failure() noexcept {
    try {
      release();
    } catch (...) {
    }
  }

  static std::vector<int> all_of(const World& world) {
    std::vector<int> out(static_cast<std::size_t>(world.size()));
    std::iota(out.begin(), out.end(), 0);
    return out;
  }

  Tensor decoded(const View<const float, 4>& band, Index height, const Progress& progress) {
    const OnException guard([this] { release_after_failure(); });
    const Index width = band.extent[3];
    if (const std::array size{height, width}; size_ != size) {
      release();
      workspace_ = {queue_, arrays_of(height, width)};
      size_ = size;
    }
    vae::Bands<Backend, Communicator> bands(communicator_, height, width);
    return vae::decoded(queue_, workspace_, model_, bands, band, world_.rank() == 0 ? progress : Progress());
  }

  /// Returns where the workspace has this rank's arrays.
  MemoryPlan arrays_of(Index height, Index width) const {
    using Number = counting::Number<sizeof(typename Backend::Element)>;
    return vae::memory_of_rank<Number>(model_.config(), height, width, world_.size(), world_.rank()).arrays;
  }

  const AutoencoderKL<Backend>& model_;
  World& world_;
  Queue queue_;
  Agreement<Backend, World> agreement_;
  Communicator communicator_;
  vae::Workspace<Backend> workspace_;
  std::optional<std::array<Index, 2>> size_;  // rows and columns of the latents that the workspace is for
};

}  // namespace weft::inline v0_1
