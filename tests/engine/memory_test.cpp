// HunyuanDiT's memory against the planned memory.
#include "held_memory.hpp"

TEST_CASE("Planned memory is that of every rank, within half a percent") {
  const std::filesystem::path folder = std::filesystem::path(WEFT_GOLDENS_DIR) / "v12/model";
  const auto scheduler = weft::Config::read(folder / "scheduler/scheduler_config.json");
  const weft::SafeTensors inputs(folder / "../ddim_inputs.safetensors");
  weft::Request<Prompt> request;
  request.negatives = {prompts_of(inputs)[0]}, request.prompts = {prompts_of(inputs)[1]};
  request.height = request.width = 48;
  request.sampler = weft::make_sampler("ddim", scheduler, 3);
  held::compare<weft::HunyuanDiT>(folder / "transformer", request);
  for (weft::SamplerStep& step : request.sampler) step.quantile = 0.9f;
  request.reuse = {{1}};
  held::compare<weft::HunyuanDiT>(folder / "transformer", request);
  request.reuse = {{2}, 2};
  held::compare<weft::HunyuanDiT>(folder / "transformer", request);
}

TEST_CASE("Planned memory of the shapes model is that of every rank, for a batch of images") {
  const std::filesystem::path folder = WEFT_SHAPES_DIR;
  const weft::WordTable words(folder / "text");
  weft::Request<Prompt> request;
  request.prompts.assign(2, prompt_of(words, "a red circle left of a blue square on gray"));
  request.negatives.assign(2, prompt_of(words, ""));
  request.height = request.width = 32;
  request.sampler =
      weft::make_sampler("ddim", weft::Config::read(folder / "scheduler/scheduler_config.json"), 3);
  held::compare<weft::HunyuanDiT>(folder / "transformer", request);
}
