// Weights that are copied from another CUDA device, where there are two, against weights that were read.
#include <doctest/doctest.h>

#include "golden.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"
#include "weft/comm/solo.hpp"

namespace {

using World = weft::Solo<weft::cuda::Queue>;

/// Makes a device the current one, and lets it reach the memory of the others.
void choose(int device) {
  weft::cuda::check(cudaSetDevice(device), "choosing the device");
  weft::peer::reach_other_devices(device, weft::peer::connected_device_count());
}

template <class Model>
weft::Tensor evaluated(const Model& model, const Golden& golden) {
  World world;
  return weft::Engine<Model, weft::Local, World>(model, {}, world).forward(golden.evaluation());
}

template <class Element>
void check_copies() {
  using Model = weft::HunyuanDiT<weft::Cuda<Element, 16, 88>>;
  const Golden golden("v12");
  const auto folder = golden.folder / "model/transformer";
  choose(weft::peer::connected_device_count() - 1);
  const Model front(folder, {{0, 2}});
  choose(0);
  const Model whole(folder, {}, {&front}), read(folder);
  CHECK(!front.has_block(2));
  CHECK(evaluated(whole, golden).data == evaluated(read, golden).data);
}

}  // namespace

TEST_CASE("weights copied from another device give the same bits as weights read from a file") {
  check_copies<float>();
  check_copies<__nv_bfloat16>();
}

TEST_CASE("weights in FP8 are copied with their scales, without quantizing again") {
  check_copies<__nv_fp8_e4m3>();
}
