// check_weights: whether a memory holds a pipeline's weights, before they are read.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "weft/backend/counting.hpp"
#include "weft/core/error.hpp"
#include "weft/model/weight_source.hpp"
#include "weft/pipeline/folder.hpp"
#include "weft/plan/counted_model.hpp"
#include "weft/plan/sample_prompt.hpp"
#include "weft/plan/sizes.hpp"
#include "weft/policy/pipeline.hpp"
#include "weft/vae/autoencoder_kl.hpp"

namespace weft::inline v0_1::pipeline {

/// Throws InvalidArgument, with what would fit, if `free` bytes do not hold a portion of the transformer's
/// weights and those of the autoencoder's decoder.
template <class Model>
void check_weights(const PipelineFolder& folder, const typename Model::Settings& settings,
                   const Portion& portion, double free) {
  const planner::CountedModelOf<Model> work(settings, planner::sample_prompt(settings));
  const AutoencoderKL<Counting<planner::CountedNumber<typename Model::Element>>> decoder(
      folder.autoencoder_config(), ShapesAlone{});
  const auto taken = [&work, &decoder, slice = portion.slice](const std::vector<Range>& some) {
    return static_cast<double>(work.weights(some, slice) +
                               std::max(work.staged(some, slice), decoder.weight_bytes()));
  };
  const DitShape& shape = work.shape();
  const double all =
      taken(portion.blocks.empty() ? std::vector<Range>{{0, shape.blocks}} : united(portion.blocks));
  if (all <= free) return;
  const auto fits_in = [&shape, &taken, free](int stages) {
    for (int stage = 0; stage < stages; ++stage)
      if (taken(pipeline_blocks(shape, stages, stage)) > free) return false;
    return true;
  };
  const auto most = static_cast<int>(shape.most_stages());
  int stages = 2;
  while (stages <= most && !fits_in(stages)) ++stages;
  reject("the weights of ", folder.path().string(), " take ", planner::size_of(all), " of memory, and ",
         planner::size_of(free), " are free; ",
         stages <= most ? sentence("a stage of ", stages, ", whose blocks PipelineSettings names, would fit")
                        : "a device with more memory is needed");
}

}  // namespace weft::inline v0_1::pipeline
