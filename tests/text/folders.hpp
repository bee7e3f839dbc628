// Folders of small tokenizers.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "../io/temporary_folder.hpp"
#include "weft/text/tokenizer.hpp"

inline const std::filesystem::path goldens = WEFT_GOLDENS_DIR;

using Ids = std::vector<weft::text::Id>;

/// A tokenizer of three files at most, whose settings are `config` beside the class.
struct TokenizerFolder {
  TemporaryFolder folder;

  weft::text::Tokenizer read() const { return weft::text::Tokenizer::read(folder.path()); }
  Ids ids(std::string_view prompt) const { return read().ids(prompt); }

  void write_config(const std::string& tokenizer_class, const std::string& settings) const {
    folder.write("tokenizer_config.json", R"({"tokenizer_class": ")" + tokenizer_class + '"' +
                                              (settings.empty() ? "" : ", ") + settings + "}");
  }
};

/// Returns a field of protobuf that holds bytes; all sizes are below 2^21.
inline std::string bytes_field(int tag, std::string_view bytes) {
  std::string out(1, static_cast<char>(tag << 3 | 2));
  for (std::size_t size = bytes.size();; size >>= 7) {
    out.push_back(static_cast<char>((size & 0x7F) | (size > 0x7F ? 0x80 : 0)));
    if (size <= 0x7F) break;
  }
  return out + std::string(bytes);
}

/// Returns a field of protobuf that holds a number below 128.
inline std::string number_field(int tag, int number) {
  std::string out;
  for (int key = tag << 3;; key >>= 7) {
    out.push_back(static_cast<char>((key & 0x7F) | (key > 0x7F ? 0x80 : 0)));
    if (key <= 0x7F) break;
  }
  return out + static_cast<char>(number);
}

/// Returns a piece of a sentencepiece model. Types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused,
/// 6 byte.
inline std::string piece(std::string_view text, float score = 0, int type = 1) {
  std::string number(sizeof score, '\0');
  std::memcpy(number.data(), &score, sizeof score);
  return bytes_field(1, bytes_field(1, text) + "\x15" + number + number_field(3, type));
}

/// Returns T5's first three pieces.
inline std::string special_pieces() {
  return piece("<pad>", 0, 3) + piece("</s>", 0, 3) + piece("<unk>", 0, 2);
}
