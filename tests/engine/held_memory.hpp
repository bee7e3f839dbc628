// The memory that ranks hold, buffer by buffer, against the planned memory.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "host_model.hpp"
#include "weft/plan.hpp"

namespace held {

/// The count of the calling thread, which is one rank: bytes in buffers now, at most since `most` was set,
/// and when the last loop was recorded.
inline thread_local double bytes = 0, most = 0, in_loop = 0;

struct Count {
  double size = 0;

  Count() = default;
  explicit Count(double own) : size(own) {
    bytes += size;
    most = std::max(most, bytes);
  }
  Count(Count&& other) noexcept : size(std::exchange(other.size, 0)) {}
  Count& operator=(Count&& other) noexcept {
    bytes -= size;
    size = std::exchange(other.size, 0);
    return *this;
  }
  ~Count() { bytes -= size; }
};

template <class T>
class Buffer : public weft::host::Buffer<T> {
 public:
  Buffer() = default;
  Buffer(weft::host::Queue& queue, weft::Index size)
      : weft::host::Buffer<T>(queue, size), count_(static_cast<double>(size) * sizeof(T)) {}
  Buffer(weft::host::Queue& queue, weft::Index size, weft::Unset) : Buffer(queue, size) {}

 private:
  Count count_;
};

struct Queue : weft::host::Queue {
  using weft::host::Queue::Queue;

  template <class Body>
  Body record(Body body, weft::Index) {
    in_loop = bytes;
    return body;
  }
};

/// The Host backend with buffers that are counted.
struct Backend : weft::Host {
  using Queue = held::Queue;
  template <class T>
  using Buffer = held::Buffer<T>;

  static Queue queue(const auto& world) { return Queue(world.workers(), world.lane()); }
};

/// Bytes of a rank: in the loop, and at most in a second request.
struct Bytes {
  double in_loop = 0, most = 0;
};

/// Returns the memory of every rank. Each has a model with its own portion alone.
template <class Model>
std::vector<Bytes> bytes_of(const std::filesystem::path& folder, const weft::Mesh& mesh,
                            const weft::Request<typename Model::Prompt>& request) {
  std::vector<Bytes> out(static_cast<std::size_t>(mesh.ranks()));
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    using Engine = weft::Engine<Model, Full>;
    const double before = bytes;  // of the caller's, if this is its thread
    const weft::DitShape shape =
        std::decay_t<decltype(std::declval<Model>().config())>(weft::Config::read(folder / "config.json"))
            .shape();
    const Model model(folder, Engine::portion(mesh, world.rank(), shape));
    Engine engine(model, mesh, world);
    engine.generate(request);
    most = 0;
    engine.generate(request);
    out[static_cast<std::size_t>(world.rank())] = {in_loop - before, most - before};
  });
  return out;
}

inline const weft::Mesh meshes[] = {
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
    {.tensor = 2},
    {.tensor = 3},
    {.pipe = 2, .ulysses = 2, .tensor = 2, .patches = 4},
};

/// Checks that the memory of each rank of each mesh that fits is as planned, within half a percent.
template <template <class> class Model>
void compare(const std::filesystem::path& folder,
             const weft::Request<typename Model<Backend>::Prompt>& request) {
  using Counted = Model<weft::Counting<float>>;
  const std::decay_t<decltype(std::declval<Counted>().config())> settings(
      weft::Config::read(folder / "config.json"));
  const weft::planner::CountedModel<Counted> work(settings, request.prompts.front());
  const weft::DitShape shape = settings.shape();
  for (const weft::Mesh& mesh : meshes) {
    const weft::Index tokens = request.height / shape.patch * (request.width / shape.patch);
    const weft::planner::CostModel cost{
        &work,
        weft::planner::machine_named("host"),
        {.gpus = static_cast<int>(mesh.ranks()),
         .tokens = tokens,
         .prompts = static_cast<weft::Index>(request.prompts.size()),
         .branches = request.branches(),
         .steps = static_cast<weft::Index>(request.sampler.size()),
         .warmup = mesh.warmup,
         .thresholds = std::ranges::any_of(request.sampler, &weft::SamplerStep::has_quantile),
         .reuse = request.reuse},
        {.placement = {}, .tries_products = false},
        mesh};
    if (weft::check<Full>(mesh, shape, {cost.request.prompts, cost.request.branches, cost.tokens()},
                          mesh.ranks()))
      continue;
    const std::vector<Bytes> all = bytes_of<Model<Backend>>(folder, mesh, request);
    double largest = 0;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      CAPTURE(weft::name_of(mesh));
      CAPTURE(rank);
      const weft::planner::MemoryUse use = memory_use(cost, static_cast<int>(rank));
      CHECK(use.total() - use.preparing == doctest::Approx(all[rank].in_loop).epsilon(0.005));
      CHECK(use.total() > 0.99 * all[rank].most);  // which gathers the images too
      largest = std::max(largest, use.total());
    }
    CHECK(largest_memory_use(cost).total() == doctest::Approx(largest).epsilon(0.001));
  }
}

}  // namespace held
