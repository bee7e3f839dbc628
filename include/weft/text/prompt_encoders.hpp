// PromptEncoders: a model's tokenizers and text encoders, asked as its pipeline in diffusers asks them, on
// all ranks of a world.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/backend/counting.hpp"
#include "weft/comm/agreement.hpp"
#include "weft/comm/mesh.hpp"
#include "weft/comm/rehearsal.hpp"
#include "weft/comm/world.hpp"
#include "weft/core/error.hpp"
#include "weft/core/progress.hpp"
#include "weft/core/stage_memory.hpp"
#include "weft/text/encoder.hpp"
#include "weft/text/encoders/exchange.hpp"
#include "weft/text/encoders/shares.hpp"
#include "weft/text/prompt_tokenizers.hpp"

namespace weft::inline v0_1::text {

/// Weights are in memory only while `encode` runs, those of one encoder at a time. Threads may encode at
/// once.
template <TextBackend Backend>
class PromptEncoders {
 public:
  using Queue = typename Backend::Queue;
  /// What the encoders make of a prompt, by their folders, such as "text_encoder_2".
  using Texts = std::map<std::string, EncodedText>;

  /// Reads the tokenizers of `model` as PromptTokenizers does, and opens the encoder of each: text_encoder of
  /// tokenizer, text_encoder_2 of tokenizer_2, text_encoder_3 of tokenizer_3. SD3 may lack the last, T5.
  /// Throws InvalidArgument, before any weight is read, if a folder is missing or not valid.
  explicit PromptEncoders(const std::filesystem::path& model, std::optional<Index> max_sequence_length = {})
      : tokenizers_(model, max_sequence_length) {
    const PipelineText* const pipeline = tokenizers_.pipeline();
    masks_padding_ = !pipeline || pipeline->masks_padding;
    for (const std::string& tokenizer : tokenizers_.names()) {
      const std::string name = encoder_of(tokenizer);
      if (is_there(model / name))
        parts_.push_back({tokenizer, name, std::make_shared<const EncoderFolder>(model / name)});
      else if (tokenizer != "tokenizer_3" || !pipeline || pipeline->needs_all)
        reject(model.string(), " has ", tokenizer, "/ and no ", name, "/, which encodes its tokens");
    }
    for (const char* tokenizer : {"tokenizer", "tokenizer_2", "tokenizer_3"})
      if (is_there(model / encoder_of(tokenizer)) && !is_there(model / tokenizer))
        reject(model.string(), " has ", encoder_of(tokenizer), "/ and no ", tokenizer,
               "/, whose tokens it reads");
  }

  /// Returns the folders of the encoders.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Part& part : parts_) out.push_back(part.name);
    return out;
  }

  /// Returns, on all ranks, what each encoder makes of each prompt. All ranks call it with the same prompts,
  /// and every pair of a prompt and an encoder is computed by one group of `slices` consecutive ranks, which
  /// load the encoders that the group was dealt alone, each a slice of their layers' matrices. Results do not
  /// depend on the number of groups, and up to rounding not on that of slices or of a rank's threads.
  /// `progress` is called on rank 0, as its group loads encoders and encodes. Throws InvalidArgument, before
  /// any weight is read, if a prompt is not UTF-8 or too long, if ranks differ in prompts, models or slices,
  /// or if the number of ranks is no multiple of that of slices.
  template <World WorldType>
  [[nodiscard]] std::vector<Texts> encode(std::span<const std::string> prompts, WorldType& world,
                                          int slices = 1, const Progress& progress = {}) const {
    Queue queue = Backend::queue(world);
    Agreement<Backend, WorldType>(queue, world).check([this, prompts, slices] {
      return summary_of(prompts, slices);
    });
    const Mesh mesh = mesh_of_encoders(world.size(), slices);
    const std::set<std::string> distinct(prompts.begin(), prompts.end());
    std::map<std::string, Texts> texts = encode_distinct(queue, {distinct.begin(), distinct.end()}, world,
                                                         mesh, world.rank() == 0 ? progress : Progress());
    std::vector<Texts> out;
    for (const std::string& prompt : prompts) out.push_back(texts.at(prompt));
    return out;
  }

  /// Returns what `encode` makes of the empty prompt, with zeros for all numbers but those of masks.
  [[nodiscard]] Texts blank() const {
    const std::vector<TokenIds> tokens = tokens_of("");
    Texts out;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      out.emplace(parts_[i].name, blank_text(parts_[i].folder->config(), tokens[i]));
    return out;
  }

  /// Returns the memory that each of `ranks` ranks takes to encode these prompts by so many slices, from the
  /// encoders' own code on the counting backend: of the encoder that takes most of those that its group was
  /// dealt, or of what is exchanged. Throws InvalidArgument if a prompt is not UTF-8 or too long, or if the
  /// number of ranks is no multiple of that of slices.
  [[nodiscard]] std::vector<StageMemory> memory(std::span<const std::string> prompts, int ranks,
                                                int slices = 1) const {
    const Mesh mesh = mesh_of_encoders(ranks, slices);
    std::vector<StageMemory> out(static_cast<std::size_t>(ranks));
    if (prompts.empty()) return out;
    const std::set<std::string> distinct(prompts.begin(), prompts.end());
    const std::vector<TokenIds> tokens = tokens_of(prompts.front());  // all are padded to as many
    std::vector<std::vector<StageMemory>> encoders;                   // of each, its slices
    Index exchanged = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      encoders.push_back(memory_of_slices(parts_[i], tokens[i], slices));
      const EncodedText text = blank_text(parts_[i].folder->config(), tokens[i]);
      exchanged += static_cast<Index>(sizeof(float) * distinct.size()) *
                   (text.states.size() + text.penultimate.size() + text.pooled.size());
    }
    if (mesh.data > 1) out.assign(out.size(), {0, exchanged});
    const std::vector<Encoding> encodings = dealt_out(distinct.size(), costs_of(tokens), mesh.data);
    for (int rank = 0; rank < ranks; ++rank)
      for (const Encoding& one : encodings) {
        if (one.group != mesh.coordinate(Axis::data, rank)) continue;
        const auto slice = static_cast<std::size_t>(mesh.coordinate(Axis::tensor, rank));
        StageMemory& most = out[static_cast<std::size_t>(rank)];
        most = std::max(most, encoders[one.encoder][slice],
                        [](const StageMemory& a, const StageMemory& b) { return a.total() < b.total(); });
      }
    return out;
  }

 private:
  struct Part {
    std::string tokenizer, name;  // folders
    std::shared_ptr<const EncoderFolder> folder;
  };

  static std::string encoder_of(std::string_view tokenizer) {
    return "text_encoder" + std::string(tokenizer.substr(std::string_view("tokenizer").size()));
  }

  /// Returns the memory that each member of a group takes to encode a text by an encoder.
  static std::vector<StageMemory> memory_of_slices(const Part& part, const TokenIds& tokens, int slices) {
    std::vector<StageMemory> out;
    for (int slice = 0; slice < slices; ++slice) {
      const TextEncoder<Counting<typename Backend::Element>> encoder(part.folder, {slice, slices});
      Rehearsal<counting::Queue> group(slices, slice, [](const StridedBytes&) {});
      counting::Queue queue;
      static_cast<void>(encoder.encode(queue, tokens, group));
      out.push_back({encoder.weight_bytes(), queue.memory().peak()});
    }
    return out;
  }

  InputSummary summary_of(std::span<const std::string> prompts, int slices) const {
    InputSummary out("request");
    out.add("slices", slices);
    out.add("number of prompts", prompts.size());
    for (const std::string& prompt : prompts) out.add_contents("prompt", std::string_view(prompt));
    for (const auto& [tokenizer, length] : tokenizers_.lengths()) out.add("tokens of " + tokenizer, length);
    for (const Part& part : parts_) out.add_contents(part.name, part.folder->digest());
    return out;
  }

  /// Returns every encoder's tokens of a prompt.
  std::vector<TokenIds> tokens_of(const std::string& prompt) const {
    const std::map<std::string, TokenIds> by_folder = tokenizers_.encode(prompt);
    std::vector<TokenIds> out;
    for (const Part& part : parts_) {
      out.push_back(by_folder.at(part.tokenizer));
      part.folder->check(out.back());
    }
    return out;
  }

  template <World WorldType>
  std::map<std::string, Texts> encode_distinct(Queue& queue, const std::vector<std::string>& prompts,
                                               WorldType& world, const Mesh& mesh,
                                               const Progress& progress) const {
    std::vector<std::vector<TokenIds>> tokens;
    for (const std::string& prompt : prompts) tokens.push_back(tokens_of(prompt));
    std::vector<EncoderCost> costs;
    if (!prompts.empty()) costs = costs_of(tokens.front());
    const std::vector<Encoding> encodings = dealt_out(prompts.size(), costs, mesh.data);
    const int own = mesh.coordinate(Axis::data, world.rank());
    auto next_part = [&progress, done = Index{0},
                      all = cost_of_group(encodings, costs, own)](Index cost) mutable {
      const Index begin = std::exchange(done, done + cost);
      return progress_of_part(progress, {begin, done}, all);
    };

    auto group = world.split("encoders", mesh.group(Axis::tensor, world.rank()));
    std::vector<EncodedText> texts;
    std::optional<TextEncoder<Backend>> encoder;
    const EncoderFolder* loaded = nullptr;
    for (const Encoding& one : encodings) {
      const TokenIds& ids = tokens[one.prompt][one.encoder];
      const std::shared_ptr<const EncoderFolder>& folder = parts_[one.encoder].folder;
      texts.push_back(blank_text(folder->config(), ids));
      if (one.group != own) continue;
      const EncoderCost& cost = costs[one.encoder];
      if (loaded != folder.get()) {
        encoder.reset();  // before the memory of the next is taken
        encoder.emplace(folder, TensorSlice{group.rank(), group.size()}, next_part(cost.loading));
        loaded = folder.get();
      }
      texts.back() = encode_one(queue, *encoder, ids, group, next_part(cost.encoding));
    }
    encoder.reset();
    exchange<Backend>(queue, encodings, texts, world, mesh);

    std::map<std::string, Texts> out;
    for (std::size_t i = 0; i < encodings.size(); ++i)
      out[prompts[encodings[i].prompt]].emplace(parts_[encodings[i].encoder].name, std::move(texts[i]));
    return out;
  }

  /// Encodes as the pipeline does, which may give T5 no mask.
  template <Communicator Group>
  EncodedText encode_one(Queue& queue, const TextEncoder<Backend>& encoder, TokenIds ids, Group& group,
                         const Progress& progress) const {
    if (masks_padding_) return encoder.encode(queue, ids, group, progress);
    std::vector<Id> mask = ids.mask;
    ids.mask.assign(ids.ids.size(), 1);
    EncodedText out = encoder.encode(queue, ids, group, progress);
    out.mask = std::move(mask);
    return out;
  }

  std::vector<EncoderCost> costs_of(const std::vector<TokenIds>& tokens) const {
    constexpr Index tokens_a_load = 256;  // weights are loaded about as fast as a host multiplies these
    std::vector<EncoderCost> out;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Index weights = parts_[i].folder->parameters();
      out.push_back({weights * tokens_a_load, weights * static_cast<Index>(tokens[i].ids.size())});
    }
    return out;
  }

  PromptTokenizers tokenizers_;
  bool masks_padding_;
  std::vector<Part> parts_;
};

}  // namespace weft::inline v0_1::text
