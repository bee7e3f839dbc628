// Times what a pipeline does beside its steps, with a model's folder and as many ranks, each with a GPU, as
// its arguments name: text encoders and the autoencoder's decoder, in bfloat16.
#include <cuda_bf16.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/solo.hpp"
#include "weft/text/encoder.hpp"
#include "weft/vae/image_decoder.hpp"

namespace {

using Backend = weft::Cuda<__nv_bfloat16>;

/// Returns the milliseconds of every call, the first of which loads kernels and times products.
template <class Call>
std::vector<double> times_of(const Call& call) {
  std::vector<double> out;
  for (int i = 0; i < 6; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    call();
    out.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  return out;
}

void print(const std::string& what, const std::vector<double>& times) {
  std::printf("%-28s first %8.1f ms, then at best %7.2f\n", what.c_str(), times.front(),
              *std::min_element(times.begin() + 1, times.end()));
  std::fflush(stdout);
}

void time_encoder(const std::filesystem::path& folder, weft::Index tokens) {
  if (!std::filesystem::exists(folder)) return;
  const auto begin = std::chrono::steady_clock::now();
  const weft::text::TextEncoder<Backend> encoder(folder);
  const std::chrono::duration<double, std::milli> loading = std::chrono::steady_clock::now() - begin;
  Backend::Queue queue;
  const weft::text::TokenIds ids{std::vector<weft::text::Id>(static_cast<std::size_t>(tokens), 7),
                                 std::vector<weft::text::Id>(static_cast<std::size_t>(tokens), 1)};
  print(folder.filename().string() + ", 2 × " + std::to_string(tokens), times_of([&] {
          for (int prompt = 0; prompt < 2; ++prompt) static_cast<void>(encoder.encode(queue, ids));
        }));
  std::printf("%-28s read in %.0f ms\n", "", loading.count());
}

void time_decoder(const std::filesystem::path& folder, int ranks) {
  std::vector<std::unique_ptr<weft::AutoencoderKL<Backend>>> models;
  for (int device = 0; device < ranks; ++device) {
    cudaSetDevice(device);
    models.push_back(std::make_unique<weft::AutoencoderKL<Backend>>(folder));
  }
  cudaSetDevice(0);
  for (const weft::Index px : {1024, 2048}) {
    const weft::Index side = px / models.front()->config().scale();
    weft::Tensor latents({1, models.front()->config().latent_channels, side, side});
    for (std::size_t i = 0; i < latents.data.size(); ++i)
      latents.data[i] = static_cast<float>(i * 7919 % 1000) / 500 - 1;
    std::vector<double> times;
    weft::peer::launch(ranks, [&](weft::peer::World& world) {
      weft::ImageDecoder decoder(*models[static_cast<std::size_t>(world.device())], world);
      const auto own = times_of([&] { static_cast<void>(decoder.decode(latents)); });
      if (world.rank() == 0) times = own;
    });
    print("decode " + std::to_string(px) + " px, " + std::to_string(ranks) + " ranks", times);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: pipeline_parts_bench MODEL_FOLDER RANKS\n");
    return 2;
  }
  const std::filesystem::path model = arguments[1];
  time_encoder(model / "text_encoder", 77);
  time_encoder(model / "text_encoder_2", 256);
  time_decoder(model / "vae", std::atoi(arguments[2]));
}
