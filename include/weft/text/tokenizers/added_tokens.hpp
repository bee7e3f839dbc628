// AddedTokens: tokens that stand in a text literally, such as [SEP], cut out before the rest is split.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/text/token_ids.hpp"
#include "weft/text/unicode.hpp"

namespace weft::inline v0_1::text {

struct AddedToken {
  std::string content;  // not empty
  Id id = 0;
  bool strips_left = false, strips_right = false;  // whether white space beside it is dropped
  bool is_special = true;                          // whether it stays as it is where text becomes lower case
  bool is_normalized = false;  // whether it is looked for in the normalized text instead of the given one
};

class AddedTokens {
 public:
  /// Adds a token, unless it is empty or there is one with its content.
  void add(AddedToken token) {
    if (token.content.empty() || find(token.content)) return;
    std::vector<AddedToken>& tokens = by_first_byte_[first_byte(token.content)];
    const auto longer = [&token](const AddedToken& other) {
      return other.content.size() >= token.content.size();
    };
    tokens.insert(std::find_if_not(tokens.begin(), tokens.end(), longer), std::move(token));
  }

  /// Returns the longest token that `text`, which is not empty, begins with, or null.
  const AddedToken* at_front(std::string_view text) const {
    for (const AddedToken& token : by_first_byte_[first_byte(text)])
      if (text.starts_with(token.content)) return &token;
    return nullptr;
  }

  /// Returns the token with this content, or null.
  const AddedToken* find(std::string_view content) const {
    const auto& tokens = by_first_byte_[first_byte(content)];
    const auto at = std::ranges::find(tokens, content, &AddedToken::content);
    return at == tokens.end() ? nullptr : &*at;
  }

  template <class Take>
  void for_each(const Take& take) const {
    for (const auto& tokens : by_first_byte_)
      for (const AddedToken& token : tokens) take(token);
  }

  /// Calls add_id(id) and add_text(text) for the tokens in `text` and what lies between them, in their order.
  template <class AddId, class AddText>
  void split(std::string_view text, const AddId& add_id, const AddText& add_text) const {
    std::size_t begin = 0;
    bool strips_left = false;
    const auto add_until = [&begin, &strips_left, text, &add_text](std::size_t end, bool strips_right) {
      const std::string_view part = stripped(text.substr(begin, end - begin), strips_left, strips_right);
      if (!part.empty()) add_text(part);
    };
    for (std::size_t at = 0; at < text.size();) {
      const AddedToken* token = at_front(text.substr(at));
      if (!token) {
        ++at;
        continue;
      }
      add_until(at, token->strips_left);
      add_id(token->id);
      begin = at += token->content.size();
      strips_left = token->strips_right;
    }
    add_until(text.size(), false);
  }

 private:
  static std::size_t first_byte(std::string_view text) { return static_cast<unsigned char>(text.front()); }

  /// Returns the text without white space at the ends that are asked for.
  static std::string_view stripped(std::string_view text, bool left, bool right) {
    while (left && !text.empty() && is_white_space(first_code_point(text)))
      text.remove_prefix(utf8_length(text.front()));
    while (right && !text.empty()) {
      const std::size_t last = text.size() - 1 - continuation_bytes(text);
      if (!is_white_space(first_code_point(text.substr(last)))) break;
      text.remove_suffix(text.size() - last);
    }
    return text;
  }

  static char32_t first_code_point(std::string_view text) {
    return decoded(text.substr(0, utf8_length(text.front())), "the text").front();
  }

  /// Returns how many bytes of the text's last code point follow its first.
  static std::size_t continuation_bytes(std::string_view text) {
    std::size_t count = 0;
    while ((static_cast<unsigned char>(text[text.size() - 1 - count]) & 0xC0) == 0x80) ++count;
    return count;
  }

  std::array<std::vector<AddedToken>, 256> by_first_byte_;  // the longest first
};

}  // namespace weft::inline v0_1::text
