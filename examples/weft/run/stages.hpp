// The stages of a command on its ranks.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "../input/work.hpp"
#include "bands.hpp"
#include "encoded_texts.hpp"
#include "run.hpp"
#include "weft/comm/agreement.hpp"
#include "weft/core/progress.hpp"
#include "weft/core/trace.hpp"

namespace command {

/// What the ranks of a command do together, as threads or devices of this process or as several processes,
/// which all call the same members. A stage's weights are in memory only while it runs.
class Stages {
 public:
  Stages() = default;
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;
  virtual ~Stages() = default;

  /// Throws InvalidArgument in all processes unless this input is the same in all.
  virtual void check_agreement(const weft::InputSummary&) {}
  /// Returns, in all processes, what the text encoders of options.model make of each text. Rank 0's process
  /// calls the progress.
  [[nodiscard]] virtual EncodedTexts encode(const Options& options, const std::vector<std::string>& texts,
                                            const weft::Progress& progress) = 0;
  /// Does the model's work, as `run` says.
  [[nodiscard]] virtual RunResult run(const Options& options, const ModelFolder& folder, Work work,
                                      const Wanted& wanted) = 0;
  /// Returns rank 0's images of latents, by the autoencoder in a folder, and an empty tensor in other
  /// processes. Rank 0's process calls the progress.
  [[nodiscard]] virtual weft::Tensor decode(const Options& options, const std::filesystem::path& autoencoder,
                                            const LatentBands& latents, const weft::Progress& progress) = 0;
  /// Brings what all processes have recorded to rank 0's trace.
  virtual void collect_trace() {}
};

/// Those of one process: on the host threads, on CUDA devices.
class StagesHere : public Stages {
 public:
  /// The trace, if not null, must outlive it.
  explicit StagesHere(weft::Trace* trace) : trace_(trace) {}

  EncodedTexts encode(const Options& options, const std::vector<std::string>& texts,
                      const weft::Progress& progress) override;
  RunResult run(const Options& options, const ModelFolder& folder, Work work, const Wanted& wanted) override;
  weft::Tensor decode(const Options& options, const std::filesystem::path& autoencoder,
                      const LatentBands& latents, const weft::Progress& progress) override;

 private:
  weft::Trace* trace_;
};

}  // namespace command
