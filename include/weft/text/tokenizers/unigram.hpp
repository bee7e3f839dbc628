// Unigram: sentencepiece's most probable split of a text (Kudo 2018, arXiv:1804.10959, §3.2).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/text/tokenizers/added_tokens.hpp"
#include "weft/text/tokenizers/piece_index.hpp"
#include "weft/text/tokenizers/sentencepiece_file.hpp"
#include "weft/text/unicode.hpp"

namespace weft::inline v0_1::text {

class Unigram {
 public:
  /// Takes the pieces of a file. Throws InvalidArgument if they repeat, or the unknown one or some of the
  /// bytes are missing.
  explicit Unigram(SentencePieceFile file) : file_(std::move(file)) {
    std::vector<PieceIndex::Entry> searched, reserved;
    float least = std::numeric_limits<float>::max();
    for (const SentencePieceFile::Piece& piece : file_.pieces()) {
      const Id id = static_cast<Id>(&piece - file_.pieces().data());
      (is_searched(piece.type) ? searched : reserved).emplace_back(piece.text, id);
      if (piece.type == Type::unknown) take_unknown(id);
      if (piece.type == Type::normal) least = std::min(least, piece.score);
    }
    if (!unknown_) reject(file_.name(), " has no unknown piece, which is one of type 2");
    constexpr float penalty = 10;
    unknown_score_ = least - penalty;
    searched_ = PieceIndex(std::move(searched));
    reserved_ = PieceIndex(std::move(reserved));
    for (const PieceIndex* index : {&searched_, &reserved_})
      if (const auto repeated = index->repeated())
        reject(file_.name(), " holds the piece ", *repeated, " twice");
    if (file_.has_byte_fallback()) find_bytes();
  }

  const SentencePieceFile& file() const { return file_; }

  /// Returns the id of a piece, if there is one.
  std::optional<Id> find(std::string_view piece) const {
    std::optional<Id> found;
    for (const PieceIndex* index : {&searched_, &reserved_})
      index->prefixes_of(piece, [&found, piece](Id id, std::size_t length) {
        if (length == piece.size()) found = id;
      });
    return found;
  }

  /// Adds the ids of a normalized text's pieces, from left to right.
  void add_pieces(std::vector<Id>& out, std::string_view text) const {
    const std::vector<Node> nodes = best_ends(text);
    std::vector<Node> path;
    for (std::size_t end = text.size(); end > 0; end = nodes[end].begin) path.push_back(nodes[end]);
    std::reverse(path.begin(), path.end());
    bool is_after_unknown = false;
    for (std::size_t i = 0; i < path.size(); ++i) {
      const bool is_unknown = path[i].id == *unknown_;
      const std::size_t end = i + 1 < path.size() ? path[i + 1].begin : text.size();
      if (is_unknown && file_.has_byte_fallback()) {
        for (const char byte : text.substr(path[i].begin, end - path[i].begin))
          out.push_back(bytes_[static_cast<unsigned char>(byte)]);
      } else if (!is_unknown || !is_after_unknown) {
        out.push_back(path[i].id);  // neighbouring unknown characters are one piece
      }
      is_after_unknown = is_unknown;
    }
  }

 private:
  using Type = SentencePieceFile::Type;

  /// The best split that ends at a position.
  struct Node {
    std::size_t begin = 0;  // of its last piece
    Id id = -1;             // of its last piece; -1 for none
    float score = 0;        // of all its pieces
  };

  static bool is_searched(Type type) {
    return type == Type::normal || type == Type::user_defined || type == Type::unused;
  }

  void take_unknown(Id id) {
    if (unknown_)
      reject(file_.name(), " has several unknown pieces, ", *unknown_, " and ", id, ", and needs one");
    unknown_ = id;
  }

  void find_bytes() {
    for (std::size_t byte = 0; byte < bytes_.size(); ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
      const std::optional<Id> id = find(name);
      if (!id) reject(file_.name(), " has byte_fallback and no piece ", name);
      bytes_[byte] = *id;
    }
  }

  /// Returns the best split up to each position of the text. Scores are floats that are added from left to
  /// right, and an equal one replaces none, so that ties fall as in sentencepiece.
  std::vector<Node> best_ends(std::string_view text) const {
    std::vector<Node> nodes(text.size() + 1);
    const auto offer = [&nodes](std::size_t begin, std::size_t length, Id id, float score) {
      Node& end = nodes[begin + length];
      if (end.id < 0 || score > end.score) end = {begin, id, score};
    };
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t character = std::min(utf8_length(text[begin]), text.size() - begin);
      const float before = nodes[begin].score;
      bool is_known = false;
      searched_.prefixes_of(
          text.substr(begin), [&is_known, &offer, begin, before, character, this](Id id, std::size_t length) {
            const SentencePieceFile::Piece& piece = file_.pieces()[static_cast<std::size_t>(id)];
            if (piece.type == Type::unused) return;
            constexpr float bonus =
                0.1f;  // a byte of a piece that a user defined: it shall win, the longest first
            const float score =
                piece.type == Type::user_defined ? bonus * static_cast<float>(length - 1) : piece.score;
            offer(begin, length, id, score + before);
            is_known = is_known || length == character;
          });
      if (!is_known) offer(begin, character, *unknown_, unknown_score_ + before);
      begin += character;
    }
    return nodes;
  }

  SentencePieceFile file_;
  PieceIndex searched_, reserved_;
  std::optional<Id> unknown_;
  float unknown_score_ = 0;
  std::array<Id, 256> bytes_{};
};

}  // namespace weft::inline v0_1::text
