// weft inside an application that has threads and a queue of its own: the model is loaded once, every rank
// keeps one engine, and requests come when they come.
#include <condition_variable>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <numeric>
#include <queue>
#include <weft/weft.hpp>

using Model = weft::HunyuanDiT<weft::Host>;
using Engine = weft::Engine<Model, weft::CfgParallel<weft::PipeFusion<>>>;

/// The application's: what somebody wants painted, and where the picture goes.
struct Job {
  weft::Request<Model::Prompt> request;
  std::promise<weft::Tensor> picture;
};

/// The application's: every rank takes the same jobs in the same order.
class Jobs {
 public:
  explicit Jobs(weft::Index ranks) : queues_(static_cast<std::size_t>(ranks)) {}

  std::future<weft::Tensor> add(weft::Request<Model::Prompt> request) {
    const auto job = std::make_shared<Job>(Job{std::move(request), {}});
    const std::lock_guard lock(mutex_);
    if (closed_) throw std::runtime_error("the studio has closed");
    for (auto& queue : queues_) queue.push(job);
    changed_.notify_all();
    return job->picture.get_future();
  }

  /// Waits for one; null when the queue is closed and empty.
  std::shared_ptr<Job> next(int rank) {
    auto& queue = queues_[static_cast<std::size_t>(rank)];
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !queue.empty(); });
    if (queue.empty()) return nullptr;
    const auto job = queue.front();
    queue.pop();
    return job;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  /// Whoever waits for a picture that is dropped gets a std::future_error.
  void drop() {
    close();
    const std::lock_guard lock(mutex_);
    for (auto& queue : queues_) queue = {};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::queue<std::shared_ptr<Job>>> queues_;
  bool closed_ = false;
};

/// weft's part: runs until the queue is closed. A rank that fails ends the others too.
void serve(const Model& model, const weft::Mesh& mesh, Jobs& jobs) {
  weft::launch(mesh.ranks(), [&](weft::threads::World& world) {
    try {
      Engine engine(model, mesh, world);
      while (const auto job = jobs.next(world.rank())) {
        weft::Tensor picture = engine.generate(job->request);
        if (world.rank() == 0) job->picture.set_value(std::move(picture));
      }
    } catch (...) {
      jobs.drop();
      throw;
    }
  });
}

int main(int argc, char** argv) try {
  const std::filesystem::path folder = argc > 1 ? argv[1] : "share/shapes";
  const Model model(folder / "transformer");
  const weft::WordTable words(folder / "text");
  const weft::NoiseSchedule schedule(weft::Config::read(folder / "scheduler" / "scheduler_config.json"));
  const weft::Mesh mesh{.cfg = 2, .pipe = 2, .warmup = 2};

  Jobs jobs(mesh.ranks());
  auto ranks = std::async(std::launch::async, [&] { serve(model, mesh, jobs); });

  const auto encoded = [&](const std::string& caption) {
    const auto [clip, t5, mask] = words.encode(caption);
    return weft::HunyuanPrompt{.clip = clip, .clip_mask = mask, .t5 = t5, .t5_mask = mask, .size = {}};
  };
  const auto brightness = [&](const std::string& caption) {
    weft::Request<Model::Prompt> request;
    request.prompts = {encoded(caption)};
    request.negatives = {encoded("")};
    request.height = request.width = 64;
    request.sampler = weft::make_sampler("dpmpp", schedule, 8);
    Engine::check(model, mesh, request);  // here, so that an unfit request ends nobody else's
    const weft::Tensor picture = jobs.add(std::move(request)).get();
    return std::accumulate(picture.data.begin(), picture.data.end(), 0.0) /
           static_cast<double>(picture.size());
  };

  auto night = std::async(std::launch::async, brightness, "a blue ring above a purple cross on black");
  auto day = std::async(std::launch::async, brightness, "a yellow ring above a pink cross on white");
  auto unfit = std::async(std::launch::async, brightness, "a mouse on a sofa");
  const double dark = night.get(), bright = day.get();
  std::cout << "The night is at " << dark << " and the day at " << bright << ".\n";
  try {
    unfit.get();
  } catch (const weft::Refused& refusal) {
    std::cout << "Refused alone: " << refusal.what() << '\n';
  }

  jobs.close();
  ranks.get();
  return dark < bright ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
