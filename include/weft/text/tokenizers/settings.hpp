// TokenizerSettings: tokenizer_config.json and the files beside it that list tokens.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/core/range.hpp"
#include "weft/io/json.hpp"
#include "weft/text/tokenizers/added_tokens.hpp"

namespace weft::inline v0_1::text {

/// Returns whether there is something at `path`, be it a link to nothing.
inline bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

class TokenizerSettings {
 public:
  /// Contents of special tokens by their keys, such as cls_token: [CLS].
  using Contents = std::map<std::string, std::string, std::less<>>;

  /// Reads `folder`/tokenizer_config.json and, where that has no added_tokens_decoder,
  /// special_tokens_map.json, which then goes before it, and added_tokens.json. `defaults` are the special
  /// tokens that no file need name. Throws InvalidArgument if a file is not valid or asks for what no
  /// tokenizer here can do.
  TokenizerSettings(const std::filesystem::path& folder, const Contents& defaults)
      : config_(Config::read(folder / "tokenizer_config.json")) {
    for (const char* side : {"padding_side", "truncation_side"})
      if (const auto value = config_.optional<std::string>(side, "right"); value != "right")
        reject(config_.name(), ": ", side, " is ", value, ", and only right is implemented; omit ", side);
    const bool has_decoder = config_.has("added_tokens_decoder");
    if (has_decoder)
      read_decoder();
    else if (is_there(folder / "added_tokens.json"))
      read_added(Config::read(folder / "added_tokens.json"));
    if (!has_decoder && is_there(folder / "special_tokens_map.json"))
      read_special(Config::read(folder / "special_tokens_map.json"));
    read_special(config_);
    for (const auto& [key, content] : defaults) name_token(key, {.content = content});
  }

  const Config& config() const { return config_; }

  /// Returns the content of the special token `key`. Throws InvalidArgument if there is none.
  const std::string& content(std::string_view key) const {
    const auto at = contents_.find(key);
    if (at == contents_.end() || at->second.empty())
      reject(config_.name(), " has no ", key, ", which this tokenizer needs");
    return at->second;
  }

  /// Returns all special tokens that the files and the defaults name.
  const std::vector<AddedToken>& special() const { return special_; }

  /// Returns all tokens to cut out of a text: those to which the files give ids, then `more`, then the
  /// special ones. find_id(content) returns an id of the vocabulary, if it has one; special tokens that have
  /// no id get one of their own, from `next` on.
  template <class FindId>
  AddedTokens added_tokens(const std::vector<AddedToken>& more, const FindId& find_id, Id next) const {
    AddedTokens out;
    for (const auto* tokens : {&numbered_, &more})
      for (const AddedToken& token : *tokens) {
        next = std::max(next, token.id + 1);
        out.add(token);
      }
    for (AddedToken token : special_) {
      if (token.content.empty() || out.find(token.content)) continue;
      const std::optional<Id> known = find_id(token.content);
      token.id = known ? *known : next++;
      out.add(std::move(token));
    }
    return out;
  }

  /// Returns the largest length in tokens that the model was trained for, or nothing where the file gives no
  /// length that any model could have.
  std::optional<Index> longest() const {
    constexpr double most = 1 << 20;
    const double length = config_.optional<double>("model_max_length", most + 1);
    if (length >= 1 && length <= most) return static_cast<Index>(length);
    return std::nullopt;
  }

 private:
  static AddedToken token_of(const Config& object) {
    if (object.optional<bool>("single_word", false))
      reject(object.name(), ": single_word is true, which is not implemented; it must be false");
    return {.content = object.required<std::string>("content"),
            .strips_left = object.optional<bool>("lstrip", false),
            .strips_right = object.optional<bool>("rstrip", false),
            .is_special = object.optional<bool>("special", true),
            .is_normalized = object.optional<bool>("normalized", false)};
  }

  void read_decoder() {
    const Config decoder = config_.optional_object("added_tokens_decoder");
    for (const std::string& key : decoder.keys()) {
      AddedToken token = token_of(decoder.optional_object(key));
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token.id);
      if (error != std::errc() || end != key.data() + key.size() || !is_id(token.id))
        reject(decoder.name(), " has the key ", key, ", which is not the id of a token");
      numbered_.push_back(std::move(token));
    }
  }

  void read_added(const Config& file) {
    for (const std::string& key : file.keys()) {
      AddedToken token{.content = key, .id = file.required<int>(key)};
      if (!is_id(token.id))
        reject(file.name(), ": ", key, " is ", token.id, ", which is not the id of a token");
      numbered_.push_back(std::move(token));
    }
  }

  static bool is_id(Id id) { return id >= 0 && id <= 0x7FFF'FFFF; }

  /// Takes the special tokens of a file, except those that are named already.
  void read_special(const Config& file) {
    constexpr std::array keys{"bos_token", "eos_token", "unk_token", "sep_token",
                              "pad_token", "cls_token", "mask_token"};
    for (const char* key : keys)
      for (const Config& object : file.optional_objects(key, "content")) name_token(key, token_of(object));
    for (const Config& object : file.optional_objects("additional_special_tokens", "content"))
      special_.push_back(token_of(object));
  }

  void name_token(const std::string& key, AddedToken token) {
    if (contents_.emplace(key, token.content).second) special_.push_back(std::move(token));
  }

  Config config_;
  Contents contents_;
  std::vector<AddedToken> numbered_;  // tokens whose ids the files give
  std::vector<AddedToken> special_;   // without ids; the first with a content counts
};

}  // namespace weft::inline v0_1::text
