// What transformers' encoders make of the goldens' prompts, and how far a backend's are from it.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "folders.hpp"
#include "weft/io/safetensors.hpp"
#include "weft/text/encoder.hpp"

/// Returns row `row` of a tensor of whole numbers.
inline std::vector<weft::text::Id> whole_row(const weft::Tensor& tensor, weft::Index row) {
  const auto* const begin = tensor.data.data() + row * tensor.shape[1];
  return {begin, begin + tensor.shape[1]};
}

/// The tokens of all prompts, and what an encoder makes of them.
struct EncoderGolden {
  std::filesystem::path folder;
  weft::Tensor ids;                                // (prompts, tokens)
  weft::Tensor mask;                               // the same, or empty: CLIP reads none
  weft::Tensor states{}, penultimate{}, pooled{};  // of all prompts, or empty: not known

  weft::text::TokenIds tokens(weft::Index row) const {
    weft::text::TokenIds out{.ids = whole_row(ids, row), .mask = {}};
    out.mask = mask.empty() ? std::vector<weft::text::Id>(out.ids.size(), 1) : whole_row(mask, row);
    return out;
  }
};

inline std::vector<EncoderGolden> encoder_goldens() {
  const std::filesystem::path hunyuan = goldens / "hunyuan_pipeline", clip = goldens / "clip_text";
  const weft::SafeTensors tokens(hunyuan / "tokens_expected.safetensors"),
      states(hunyuan / "encoders_expected.safetensors"), of_clip(clip / "expected.safetensors");
  const auto all = [](const weft::SafeTensors& file, const char* name) { return file.tensor(name); };
  return {{.folder = hunyuan / "model" / "text_encoder",
           .ids = all(tokens, "bert_ids"),
           .mask = all(tokens, "bert_mask"),
           .states = all(states, "bert.last_hidden_state")},
          {.folder = hunyuan / "model" / "text_encoder_2",
           .ids = all(tokens, "t5_ids"),
           .mask = all(tokens, "t5_mask"),
           .states = all(states, "t5.last_hidden_state")},
          {.folder = clip / "model" / "text_encoder",
           .ids = all(of_clip, "ids"),
           .mask = {},
           .penultimate = all(of_clip, "penultimate"),
           .pooled = all(of_clip, "pooled")},
          {.folder = clip / "model" / "text_encoder_2",
           .ids = all(of_clip, "ids_2"),
           .mask = {},
           .penultimate = all(of_clip, "penultimate_2"),
           .pooled = all(of_clip, "pooled_2")}};
}

/// Checks √(Σ(a − b)² / Σb²) for row `row` of `wanted`, unless that is empty.
inline void check_row(const weft::Tensor& is, const weft::Tensor& wanted, weft::Index row, double bound) {
  if (wanted.empty()) return;
  const weft::Tensor own = wanted.at(row);
  REQUIRE(is.shape == own.shape);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < own.data.size(); ++i) {
    difference += std::pow(static_cast<double>(is.data[i]) - static_cast<double>(own.data[i]), 2);
    size += std::pow(static_cast<double>(own.data[i]), 2);
  }
  CHECK(std::sqrt(difference / size) <= bound);
}

/// Checks every encoder with every prompt.
template <class Backend>
void check_encoders(typename Backend::Queue& queue, double bound) {
  for (const EncoderGolden& golden : encoder_goldens()) {
    CAPTURE(golden.folder.string());
    const weft::text::TextEncoder<Backend> encoder(golden.folder);
    for (weft::Index row = 0; row < golden.ids.shape[0]; ++row) {
      CAPTURE(row);
      const weft::text::TokenIds tokens = golden.tokens(row);
      const weft::text::EncodedText text = encoder.encode(queue, tokens);
      CHECK(text.mask == tokens.mask);
      CHECK(text.pooled.empty() == golden.pooled.empty());
      CHECK(text.penultimate.empty() == golden.penultimate.empty());
      check_row(text.states, golden.states, row, bound);
      check_row(text.penultimate, golden.penultimate, row, bound);
      check_row(text.pooled, golden.pooled, row, bound);
    }
  }
}
