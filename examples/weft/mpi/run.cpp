#include "run.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "../input/with_model.hpp"
#include "../options/agreement.hpp"
#include "process.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/gather_trace.hpp"
#include "weft/comm/mpi.hpp"
#include "weft/text/prompt_encoders.hpp"
#include "weft/vae/image_decoder.hpp"

namespace command {

namespace {

using World = weft::mpi::World;

class StagesInProcesses : public Stages {
 public:
  StagesInProcesses(World& world, weft::Trace* trace) : world_(world), trace_(trace) {}

  void check_agreement(const weft::InputSummary& input) override {
    weft::host::Queue queue;
    weft::Agreement<weft::Host, World>(queue, world_).check([&input] { return input; });
  }

  EncodedTexts encode(const Options& options, const std::vector<std::string>& texts,
                      const weft::Progress& progress) override {
    return weft::text::PromptEncoders<weft::Host>(options.model, options.max_sequence_length)
        .encode(texts, world_, options.mesh.tensor, progress);
  }

  RunResult run(const Options& options, const ModelFolder& folder, Work work, const Wanted& wanted) override {
    return with_model<weft::Host>(folder.settings(), [&]<class Model>(std::type_identity<Model>) {
      return InMpiProcess<Model>::run(world_, options, folder, std::move(work), wanted);
    });
  }

  weft::Tensor decode(const Options&, const std::filesystem::path& autoencoder, const LatentBands& latents,
                      const weft::Progress& progress) override {
    const weft::AutoencoderKL<weft::Host> model(autoencoder);
    const weft::Tensor& band = latents.of_rank[static_cast<std::size_t>(world_.rank())];
    return weft::ImageDecoder(model, world_).decode_band(band, latents.height, progress);
  }

  void collect_trace() override {
    if (trace_) weft::gather_trace(world_, *trace_);
  }

 private:
  World& world_;
  weft::Trace* trace_;
};

}  // namespace

void in_processes(const Options& options, weft::Trace* trace, const std::function<void(Stages&)>& body) {
  const weft::LaunchEnvironment& launched = *options.launched;
  if (!launched.has_pmi)
    weft::reject(launched.launcher, " has started ", launched.world,
                 " processes, and MPI, which the host needs between ",
                 "them, cannot start from there; use mpirun -n ", launched.world,
                 launched.launcher == "srun" ? " or srun --mpi=pmix" : "",
                 ", or start one process, whose ranks are threads",
                 launched.launcher == "torchrun" ? ", with RANK and WORLD_SIZE unset" : "");
  const auto timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(options.timeout));
  weft::mpi::launch(
      [&body, &options, trace](World& world) {
        StagesInProcesses stages(world, trace);
        stages.check_agreement(summary_of(options));
        if (trace) world.record(*trace);
        body(stages);
      },
      {.timeout = timeout}, launched.world);
}

}  // namespace command
