// Text encoders in processes. mpirun runs this with several.
#include "../comm/mpi_main.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "../relative_error.hpp"
#include "weft/backend/host.hpp"
#include "weft/comm/solo.hpp"
#include "weft/text/prompt_encoders.hpp"

TEST_CASE("PromptEncoders: every process has one rank's bits, and encodes only what it was dealt") {
  const std::filesystem::path goldens = WEFT_GOLDENS_DIR;
  const std::vector<std::string> prompts{"a horse", "", "a horse", "an astronaut"};  // the third is no other
  for (const char* model : {"hunyuan_pipeline", "clip_text"}) {
    CAPTURE(model);
    const weft::text::PromptEncoders<weft::Host> encoders(goldens / model / "model");
    weft::Solo<weft::host::Queue> alone;
    const auto wanted = encoders.encode(prompts, alone);
    const auto sent = [] {
      const auto at = all_processes->traffic().find("text");
      return at == all_processes->traffic().end() ? 0 : at->second.bytes;
    };
    const weft::Index before = sent();
    const auto texts = encoders.encode(prompts, *all_processes);
    const weft::Index to_each = (sent() - before) / std::max(all_processes->size() - 1, 1);
    REQUIRE(texts.size() == wanted.size());
    weft::Index all = 0;  // bytes of the distinct prompts' tensors
    for (std::size_t i = 0; i < texts.size(); ++i)
      for (const auto& [name, text] : wanted[i]) {
        CAPTURE(name);
        const weft::text::EncodedText& own = texts[i].at(name);
        CHECK(own.states.data == text.states.data);
        CHECK(own.penultimate.data == text.penultimate.data);
        CHECK(own.pooled.data == text.pooled.data);
        CHECK(own.mask == text.mask);
        if (i != 2)
          all += static_cast<weft::Index>(sizeof(float)) *
                 (text.states.size() + text.penultimate.size() + text.pooled.size());
      }
    if (all_processes->size() > 1) CHECK(to_each < all);
  }
}

TEST_CASE("PromptEncoders: processes that hold slices make what one rank makes") {
  const std::vector<std::string> prompts{"a horse", "an astronaut"};
  const int ranks = all_processes->size();
  for (const char* model : {"hunyuan_pipeline", "clip_text"}) {
    CAPTURE(model);
    const weft::text::PromptEncoders<weft::Host> encoders(std::filesystem::path(WEFT_GOLDENS_DIR) / model /
                                                          "model");
    weft::Solo<weft::host::Queue> alone;
    const auto wanted = encoders.encode(prompts, alone);
    for (const int slices : {2, ranks}) {
      if (ranks % slices != 0) continue;
      CAPTURE(slices);
      const auto texts = encoders.encode(prompts, *all_processes, slices);
      for (std::size_t i = 0; i < texts.size(); ++i)
        for (const auto& [name, text] : wanted[i]) {
          const weft::text::EncodedText& own = texts[i].at(name);
          for (const auto& [a, b] : {std::pair{&own.states, &text.states},
                                     {&own.penultimate, &text.penultimate},
                                     {&own.pooled, &text.pooled}}) {
            REQUIRE(a->shape == b->shape);
            if (!a->empty()) CHECK(relative_error(*a, *b) <= 1e-6);
          }
        }
    }
  }
}

TEST_CASE("PromptEncoders: processes that differ in prompts are rejected together") {
  if (all_processes->size() == 1) return;
  const weft::text::PromptEncoders<weft::Host> encoders(std::filesystem::path(WEFT_GOLDENS_DIR) /
                                                        "hunyuan_pipeline" / "model");
  const std::vector<std::string> prompts{all_processes->rank() == 1 ? "b" : "a"};
  CHECK_THROWS_WITH_AS(static_cast<void>(encoders.encode(prompts, *all_processes)),
                       "rank 1 was asked for another prompt than rank 0; all ranks must be given the same "
                       "request",
                       weft::InvalidArgument);
}
