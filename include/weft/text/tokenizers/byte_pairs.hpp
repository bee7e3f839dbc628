// BytePairs: CLIP's tokenizer, a byte-pair encoding of bytes (Radford et al. 2019, 2021).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/io/json_object.hpp"
#include "weft/io/mapped_file.hpp"
#include "weft/text/tokenizers/added_tokens.hpp"
#include "weft/text/tokenizers/clip_words.hpp"
#include "weft/text/tokenizers/frame.hpp"
#include "weft/text/tokenizers/merge_table.hpp"
#include "weft/text/tokenizers/settings.hpp"
#include "weft/text/tokenizers/vocabulary.hpp"

namespace weft::inline v0_1::text {

class BytePairs {
 public:
  /// Reads vocab.json and merges.txt in `folder`, or in the folder `tokenizer` beside it if neither is there,
  /// and the settings in `folder`. Throws InvalidArgument if they do not fit together.
  explicit BytePairs(const std::filesystem::path& folder)
      : BytePairs(folder_of_vocabulary(folder), TokenizerSettings(folder, {{"bos_token", "<|startoftext|>"},
                                                                           {"eos_token", "<|endoftext|>"},
                                                                           {"pad_token", "<|endoftext|>"},
                                                                           {"unk_token", "<|endoftext|>"}})) {
  }

  /// Returns the ids of a prompt's pieces, without the frame.
  std::vector<Id> pieces(std::string_view prompt) const {
    std::vector<Id> out;
    const auto add_id = [&out](Id id) { out.push_back(id); };
    literal_.split(prompt, add_id, [&out, &add_id, this](std::string_view text) {
      normalized_.split(
          encoded(clip_normalized(decoded(text, "the prompt"))), add_id,
          [&out, this](std::string_view part) { add_pieces(out, decoded(part, "the prompt")); });
    });
    return out;
  }

  const Frame& frame() const { return frame_; }
  std::optional<Index> longest() const { return longest_; }

 private:
  static constexpr const char* end_of_word = "</w>";

  static std::filesystem::path folder_of_vocabulary(const std::filesystem::path& folder) {
    const std::filesystem::path shared = folder.parent_path() / "tokenizer";
    const bool has_none = !is_there(folder / "vocab.json") && !is_there(folder / "merges.txt");
    return has_none && is_there(shared / "vocab.json") ? shared : folder;
  }

  BytePairs(const std::filesystem::path& folder, const TokenizerSettings& settings)
      : longest_(settings.longest()) {
    const Config& config = settings.config();
    if (!config.optional<bool>("do_lower_case", true))
      reject(config.name(), ": do_lower_case is false, and CLIP's tokenizer always lowers; it must be true");
    const Id size = read_vocabulary(folder / "vocab.json");
    read_merges(folder / "merges.txt");
    const auto find = [this](const std::string& content) { return vocabulary_.find(content); };
    const AddedTokens added = settings.added_tokens({}, find, size);
    added.for_each([this](AddedToken token) {
      if (!token.is_normalized) return literal_.add(std::move(token));
      token.content = encoded(clip_normalized(decoded(token.content, "an added token")));
      normalized_.add(std::move(token));
    });
    const auto id_of = [&settings, &added](const char* key) { return added.find(settings.content(key))->id; };
    frame_ = {.first = id_of("bos_token"), .last = id_of("eos_token"), .padding = id_of("pad_token")};
    find_bytes(id_of("unk_token"));
  }

  /// Returns one more than the largest id.
  Id read_vocabulary(const std::filesystem::path& path) {
    const std::string name = path.string();
    const JsonValue pieces = json_object(MappedFile(path).text(), name);
    Id size = 0;
    for (const auto& [piece, index] : pieces.members) {
      const JsonValue& id = pieces.items[index];
      constexpr std::uint64_t most = 0x7FFF'FFFF;
      if (!id.is(JsonKind::natural) || id.natural > most)
        reject(name, ": ", piece, " is ", found(id), " and must be an id, from 0 to ", most);
      vocabulary_.add(piece, static_cast<Id>(id.natural));
      size = std::max(size, static_cast<Id>(id.natural) + 1);
    }
    return size;
  }

  /// Reads a line "#version …", then a merge a line: two pieces of the vocabulary, whose union is one too.
  void read_merges(const std::filesystem::path& path) {
    const MappedFile file(path);
    std::string_view text = file.text();
    const std::string name = path.string();
    if (!text.starts_with("#version")) reject(name, " must begin with a line #version: 0.2");
    for (std::size_t number = 1; !text.empty(); ++number) {
      std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (number == 1 || line.empty()) continue;
      const std::size_t space = line.find(' ');
      if (space == line.npos || line.find(' ', space + 1) != line.npos)
        reject(name, ": line ", number, " is not two pieces with a space between them");
      const std::string_view left = line.substr(0, space), right = line.substr(space + 1);
      const auto id_of = [&name, number, this](const std::string& piece) {
        const auto id = vocabulary_.find(piece);
        if (!id)
          reject(name, ": line ", number, " needs the piece ", piece, ", which vocab.json does not have");
        return *id;
      };
      merges_.add(id_of(std::string(left)), id_of(std::string(right)),
                  id_of(std::string(left) + std::string(right)));
    }
  }

  /// Finds the ids of all bytes. Each has a printable character in the vocabulary: itself, if it is one of
  /// Latin-1, or else one from U+0100 on.
  void find_bytes(Id unknown) {
    char32_t substitute = 0x100;
    for (std::size_t byte = 0; byte < inner_.size(); ++byte) {
      const bool is_printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte <= 0xFF && byte != 0xAD);
      std::string character;
      append(character, is_printable ? static_cast<char32_t>(byte) : substitute++);
      inner_[byte] = vocabulary_.find(character).value_or(unknown);
      last_[byte] = vocabulary_.find(character + end_of_word).value_or(unknown);
    }
  }

  void add_pieces(std::vector<Id>& out, std::u32string_view text) const {
    for (const std::u32string_view word : clip_words(text)) {
      std::vector<Id> symbols;
      for (const char byte : encoded(word)) symbols.push_back(inner_[static_cast<unsigned char>(byte)]);
      symbols.back() = last_[static_cast<unsigned char>(encoded(word).back())];
      for (const Id id : merges_.merged(std::move(symbols))) out.push_back(id);
    }
  }

  Vocabulary vocabulary_;
  MergeTable merges_;
  AddedTokens literal_, normalized_;      // looked for in the prompt, and in the normalized prompt
  std::array<Id, 256> inner_{}, last_{};  // of bytes inside a word, and of its last one
  Frame frame_;
  std::optional<Index> longest_;
};

}  // namespace weft::inline v0_1::text
