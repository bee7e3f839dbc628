// The trained model of share/shapes in tests.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "golden.hpp"

/// The shapes model, whose requests are made of captions.
struct Shapes {
  std::filesystem::path folder = WEFT_SHAPES_DIR;
  weft::WordTable words{folder / "text"};

  weft::DitShape shape() const {
    return weft::HunyuanConfig(weft::Config::read(folder / "transformer/config.json")).shape();
  }

  weft::Request<Prompt> request(const std::vector<std::string>& captions, int steps) const {
    weft::Request<Prompt> request;
    for (const std::string& caption : captions) {
      request.prompts.push_back(prompt_of(words, caption));
      request.negatives.push_back(prompt_of(words, ""));
    }
    request.height = request.width = 64;
    const auto config = weft::Config::read(folder / "scheduler/scheduler_config.json");
    request.sampler = weft::make_sampler("ddim", config, steps);
    request.guidance = 4;
    return request;
  }
};
