// The memory that ranks allocate, buffer by buffer, against the planned memory.
#include <doctest/doctest.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "../model/weight_tensors.hpp"
#include "host_model.hpp"
#include "weft/plan.hpp"

namespace {

/// The count of the calling thread, which is one rank: bytes in buffers, now and when the last loop was
/// recorded.
thread_local double bytes_taken = 0, bytes_in_loop = 0;

struct CountedBytes {
  double bytes = 0;

  CountedBytes() = default;
  explicit CountedBytes(double size) : bytes(size) { bytes_taken += bytes; }
  CountedBytes(CountedBytes&& other) noexcept : bytes(std::exchange(other.bytes, 0)) {}
  CountedBytes& operator=(CountedBytes&& other) noexcept {
    bytes_taken -= bytes;
    bytes = std::exchange(other.bytes, 0);
    return *this;
  }
  ~CountedBytes() { bytes_taken -= bytes; }
};

template <class T>
class CountedBuffer : public weft::host::Buffer<T> {
 public:
  CountedBuffer() = default;
  CountedBuffer(weft::host::Queue& queue, weft::Index size)
      : weft::host::Buffer<T>(queue, size), count_(static_cast<double>(size) * sizeof(T)) {}

 private:
  CountedBytes count_;
};

struct CountingQueue : weft::host::Queue {
  using weft::host::Queue::Queue;

  template <class Body>
  Body record(Body body, weft::Index) {
    bytes_in_loop = bytes_taken;
    return body;
  }
};

/// The Host backend with buffers that count their bytes.
struct Counting : weft::Host {
  using Queue = CountingQueue;
  template <class T>
  using Buffer = CountedBuffer<T>;

  static Queue queue(const auto& world) { return Queue(world.workers(), world.lane()); }
};

using CountedModel = weft::HunyuanDiT<Counting>;
using CountedEngine = weft::Engine<CountedModel, Full>;

/// Returns the memory of the rank that needs most. Every rank has a model with only its own blocks.
double bytes_of(const std::filesystem::path& folder, const weft::Mesh& mesh,
                const weft::Request<Prompt>& request) {
  double most = 0;
  std::mutex mutex;
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    const weft::DitShape shape = weft::HunyuanConfig(weft::Config::read(folder / "config.json")).shape();
    const CountedModel model(folder, CountedEngine::blocks(mesh, world.rank(), shape));
    CountedEngine(model, mesh, world).generate(request);
    const std::lock_guard lock(mutex);
    most = std::max(most, bytes_in_loop);
  });
  return most;
}

weft::planner::MemoryUse planned(const weft::DitShape& shape, const weft::Mesh& mesh,
                                 const weft::Request<Prompt>& request) {
  return weft::planner::largest_memory_use(
      {shape,
       weft::planner::machine_named("host"),
       {.gpus = static_cast<int>(mesh.ranks()),
        .tokens = request.height / shape.patch * (request.width / shape.patch),
        .prompts = static_cast<weft::Index>(request.prompts.size()),
        .branches = request.negatives.empty() ? 1 : 2,
        .steps = static_cast<weft::Index>(request.sampler.size()),
        .warmup = mesh.warmup,
        .element_bytes = 4,
        .thresholds = std::ranges::any_of(request.sampler, &weft::SamplerStep::has_quantile)},
       {.placement = {}, .tries_products = false},
       mesh});
}

const weft::Mesh meshes[] = {
    {},
    {.cfg = 2},
    {.ulysses = 2},
    {.ulysses = 4},
    {.ring = 2},
    {.ring = 3},
    {.pipe = 2},
    {.pipe = 4, .patches = 8},
    {.pipe = 1, .patches = 4},
    {.ulysses = 2, .ring = 2},
    {.cfg = 2, .pipe = 2, .ulysses = 2, .patches = 4},
    {.pipe = 2, .ring = 2, .patches = 4, .ring_cache = weft::RingCache::copy},
    {.pipe = 2, .ring = 2, .patches = 4, .ring_cache = weft::RingCache::rotate},
    {.ring = 2, .ring_cache = weft::RingCache::copy},
};

void compare(const std::filesystem::path& folder, const weft::Request<Prompt>& request) {
  const weft::DitShape shape = weft::HunyuanConfig(weft::Config::read(folder / "config.json")).shape();
  for (const weft::Mesh& mesh : meshes) {
    CAPTURE(weft::name_of(mesh));
    CHECK(planned(shape, mesh, request).total() ==
          doctest::Approx(bytes_of(folder, mesh, request)).epsilon(0.005));
  }
}

}  // namespace

TEST_CASE("Planned memory is that of the rank that needs most, within half a percent") {
  const std::filesystem::path folder = std::filesystem::path(WEFT_GOLDENS_DIR) / "v12/model";
  const auto scheduler = weft::Config::read(folder / "scheduler/scheduler_config.json");
  const weft::SafeTensors inputs(folder / "../ddim_inputs.safetensors");
  weft::Request<Prompt> request;
  request.negatives = {prompts_of(inputs)[0]}, request.prompts = {prompts_of(inputs)[1]};
  request.height = request.width = 48;
  request.sampler = weft::make_sampler("ddim", scheduler, 3);
  compare(folder / "transformer", request);
  for (weft::SamplerStep& step : request.sampler) step.quantile = 0.9f;
  compare(folder / "transformer", request);
}

TEST_CASE("Planned memory of the shapes model is that of the rank that needs most, for a batch of images") {
  const std::filesystem::path folder = WEFT_SHAPES_DIR;
  const weft::WordTable words(folder / "text");
  weft::Request<Prompt> request;
  request.prompts.assign(2, prompt_of(words, "a red circle left of a blue square on gray"));
  request.negatives.assign(2, prompt_of(words, ""));
  request.height = request.width = 64;
  request.sampler =
      weft::make_sampler("ddim", weft::Config::read(folder / "scheduler/scheduler_config.json"), 3);
  compare(folder / "transformer", request);
}

TEST_CASE("A model's shape counts the weights outside of its blocks") {
  for (const char* name : {"v12", "v11_hd88"}) {
    const weft::HunyuanConfig config(
        weft::Config::read(std::filesystem::path(WEFT_GOLDENS_DIR) / name / "model/transformer/config.json"));
    weft::Index numbers = 0;
    for (const auto& [tensor, shape] : tensors_of(config))
      if (!tensor.starts_with("blocks.")) numbers += weft::element_count(shape);
    CHECK(config.shape().other_weights == numbers);
  }
}
