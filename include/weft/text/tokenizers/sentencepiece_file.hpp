// SentencePieceFile: spiece.model, the protobuf file of a sentencepiece model.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/error.hpp"
#include "weft/io/mapped_file.hpp"
#include "weft/text/tokenizers/protobuf.hpp"

namespace weft::inline v0_1::text {

/// What a unigram model's file says. Its texts are valid as long as it, or a copy, lives.
class SentencePieceFile {
 public:
  enum class Type { normal = 1, unknown, control, user_defined, unused, byte };

  struct Piece {
    std::string_view text;  // not empty
    float score = 0;        // the logarithm of its probability
    Type type = Type::normal;
  };

  /// How a text is normalized before it is split.
  struct Normalizer {
    std::string_view character_map;
    bool add_dummy_prefix = true;
    bool remove_extra_whitespaces = true;
    bool escape_whitespaces = true;  // whether ▁ stands for a space
  };

  /// Reads a file. Throws InvalidArgument if it is no such file, or of a kind other than unigram.
  explicit SentencePieceFile(const std::filesystem::path& path)
      : SentencePieceFile(std::string(MappedFile(path).text()), path.string()) {}

  /// Reads the bytes of a file that rejections call `name`.
  SentencePieceFile(std::string bytes, std::string name)
      : name_(std::move(name)), bytes_(std::make_shared<const std::string>(std::move(bytes))) {
    ProtobufReader reader(*bytes_, name_);
    while (const auto field = reader.next()) {
      if (field->kind != ProtobufField::Kind::bytes) continue;
      if (field->tag == 1) add_piece(field->bytes);
      if (field->tag == 2) read_trainer(field->bytes);
      if (field->tag == 3) read_normalizer(field->bytes);
    }
    if (pieces_.empty()) reject(name_, " holds no pieces and is no sentencepiece model");
  }

  const std::string& name() const { return name_; }
  /// Returns the pieces; an index is an id.
  const std::vector<Piece>& pieces() const { return pieces_; }
  const Normalizer& normalizer() const { return normalizer_; }
  /// Returns whether unknown characters become their bytes.
  bool has_byte_fallback() const { return has_byte_fallback_; }

 private:
  static bool is_number(const ProtobufField& field, std::uint64_t tag) {
    return field.tag == tag && field.kind == ProtobufField::Kind::varint;
  }

  void add_piece(std::string_view message) {
    const std::string where = sentence(name_, ": piece ", pieces_.size());
    ProtobufReader reader(message, where);
    Piece piece;
    while (const auto field = reader.next()) {
      if (field->tag == 1) piece.text = field->bytes;
      if (field->tag == 2 && field->kind == ProtobufField::Kind::fixed32) piece.score = field->real();
      if (!is_number(*field, 3)) continue;
      if (field->number < 1 || field->number > 6)
        reject(where, " is of type ", field->number, ", and types are from 1 to 6");
      piece.type = static_cast<Type>(field->number);
    }
    if (piece.text.empty()) reject(where, " is empty");
    if (!std::isfinite(piece.score)) reject(where, " has the score ", piece.score, ", which must be finite");
    pieces_.push_back(piece);
  }

  void read_trainer(std::string_view message) {
    ProtobufReader reader(message, name_ + ": trainer_spec");
    while (const auto field = reader.next()) {
      if (is_number(*field, 3) && field->number != 1)
        reject(name_, " has model_type ", field->number, ", and only unigram models, 1, are implemented");
      if (is_number(*field, 24) && field->number != 0)
        reject(name_, " has treat_whitespace_as_suffix, which is not implemented");
      if (is_number(*field, 35)) has_byte_fallback_ = field->number != 0;
    }
  }

  void read_normalizer(std::string_view message) {
    ProtobufReader reader(message, name_ + ": normalizer_spec");
    while (const auto field = reader.next()) {
      if (field->tag == 2) normalizer_.character_map = field->bytes;
      if (is_number(*field, 3)) normalizer_.add_dummy_prefix = field->number != 0;
      if (is_number(*field, 4)) normalizer_.remove_extra_whitespaces = field->number != 0;
      if (is_number(*field, 5)) normalizer_.escape_whitespaces = field->number != 0;
    }
  }

  std::string name_;
  std::shared_ptr<const std::string> bytes_;
  std::vector<Piece> pieces_;
  Normalizer normalizer_;
  bool has_byte_fallback_ = false;
};

}  // namespace weft::inline v0_1::text
