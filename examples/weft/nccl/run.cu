#include "run.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "../cuda/dtype.cuh"
#include "../cuda/model_in_dtype.cuh"
#include "../cuda/run.hpp"
#include "../options/agreement.hpp"
#include "links.cuh"
#include "rank.cuh"
#include "stages.cuh"
#include "weft/backend/cuda.cuh"
#include "weft/comm/gather_trace.hpp"
#include "weft/comm/nccl.cuh"
#include "weft/comm/nccl/host_messages.cuh"

namespace command {

namespace {

/// Throws InvalidArgument in all processes unless this input is the same in all.
void check_same(weft::nccl::World& world, const weft::InputSummary& input) {
  using Backend = weft::Cuda<float>;
  Backend::Queue queue = Backend::queue(world);
  weft::Agreement<Backend, weft::nccl::World>(queue, world).check([&input] { return input; });
}

/// Calls body(world) in this process's rank, after a check that all processes have the same command line.
template <class Body>
void in_world(const Options& options, const Body& body) {
  using World = weft::nccl::World;
  const auto agreed_body = [&options, &body](World& world) {
    check_same(world, summary_of(options));
    body(world);
  };
  weft::nccl::launch(*options.launched, agreed_body,
                     {.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::duration<double>(options.timeout))});
}

class StagesOverNccl : public Stages {
 public:
  StagesOverNccl(weft::nccl::World& world, weft::Trace* trace) : world_(world), trace_(trace) {}

  void check_agreement(const weft::InputSummary& input) override { check_same(world_, input); }

  EncodedTexts encode(const Options& options, const std::vector<std::string>& texts,
                      const weft::Progress& progress) override {
    return encode_over_nccl(world_, options, texts, progress);
  }

  RunResult run(const Options& options, const ModelFolder& folder, Work work, const Wanted& wanted) override {
    return model_in_dtype(options, folder.settings(),
                          [this, &options, &folder, &work, &wanted]<class Model>(std::type_identity<Model>) {
                            return OnRank<Model>::run(world_, options, folder, std::move(work), wanted);
                          });
  }

  weft::Tensor decode(const Options& options, const std::filesystem::path& autoencoder,
                      const LatentBands& latents, const weft::Progress& progress) override {
    return decode_over_nccl(world_, options, autoencoder, latents, progress);
  }

  void collect_trace() override {
    if (!trace_) return;
    weft::nccl::HostMessages messages(world_);
    weft::gather_trace(messages, *trace_);
  }

 private:
  weft::nccl::World& world_;
  weft::Trace* trace_;
};

}  // namespace

void in_processes_on_cuda(const Options& options, weft::Trace* trace,
                          const std::function<void(Stages&)>& body) {
  in_world(options, [&body, trace](weft::nccl::World& world) {
    if (trace) world.record(*trace);
    StagesOverNccl stages(world, trace);
    body(stages);
  });
}

BenchReport bench_over_nccl(const Options& options, const Arch& arch, const std::vector<BenchCase>& sizes) {
  BenchReport report;
  in_world(options, [&options, &arch, &sizes, &report](weft::nccl::World& world) {
    report.sizes = model_in_dtype(options, settings_of(arch),
                                  [&world, &options, &arch, &sizes]<class Model>(std::type_identity<Model>) {
                                    return OnRank<Model>::bench(world, options, arch, sizes);
                                  });
    report.transfers = in_dtype(options, [&world, &sizes]<class E>(std::type_identity<E>) {
      return Links<E>::transfers(world, sizes);
    });
  });
  if (options.prints()) add_device_figures(report, options, arch);
  return report;
}

weft::planner::Hardware calibrated_over_nccl(const Options& options, const weft::planner::Hardware& known) {
  weft::planner::Hardware out = known;
  in_world(options, [&options, &out](weft::nccl::World& world) {
    in_dtype(options, [&world, &options, &out]<class E>(std::type_identity<E>) {
      Links<E>::calibrate(world, options, out);
    });
  });
  return options.prints() ? calibrated_gpu(options, out) : out;
}

}  // namespace command
