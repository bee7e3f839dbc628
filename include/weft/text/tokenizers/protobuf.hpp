// ProtobufReader: the fields of a protobuf message, in their order (protobuf.dev, "Encoding").
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "weft/core/error.hpp"

namespace weft::inline v0_1::text {

/// A field: of a varint or a fixed number, `number`; of text, bytes or a message, `bytes`.
struct ProtobufField {
  enum class Kind { varint, fixed64, bytes, fixed32 = 5 };

  std::uint64_t tag = 0;  // the number that the schema gives it
  Kind kind = Kind::varint;
  std::uint64_t number = 0;
  std::string_view bytes{};

  /// Returns the float in a fixed32.
  float real() const {
    const auto bits = static_cast<std::uint32_t>(number);
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
};

class ProtobufReader {
 public:
  /// Reads `message`, which must outlive its fields; `name` stands for it in rejections.
  ProtobufReader(std::string_view message, std::string name) : rest_(message), name_(std::move(name)) {}

  /// Returns the next field, or nothing at the end. Throws InvalidArgument if there is no whole one.
  std::optional<ProtobufField> next() {
    if (rest_.empty()) return std::nullopt;
    const std::uint64_t key = varint();
    ProtobufField field{.tag = key >> 3, .kind = static_cast<ProtobufField::Kind>(key & 7)};
    switch (field.kind) {
      case ProtobufField::Kind::varint:
        field.number = varint();
        break;
      case ProtobufField::Kind::fixed64:
        field.number = fixed<std::uint64_t>();
        break;
      case ProtobufField::Kind::bytes:
        field.bytes = taken(varint());
        break;
      case ProtobufField::Kind::fixed32:
        field.number = fixed<std::uint32_t>();
        break;
      default:
        reject(name_, " holds a field of wire type ", key & 7, ", which protobuf no longer has");
    }
    return field;
  }

 private:
  std::string_view taken(std::uint64_t count) {
    if (count > rest_.size())
      reject(name_, " is truncated: ", count, " bytes are announced and ", rest_.size(), " follow");
    const std::string_view bytes = rest_.substr(0, static_cast<std::size_t>(count));
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

  std::uint64_t varint() {
    constexpr int most_bits = 64, bits_a_byte = 7;
    std::uint64_t value = 0;
    for (int shift = 0; shift < most_bits; shift += bits_a_byte) {
      const auto byte = static_cast<unsigned char>(taken(1).front());
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    reject(name_, " holds a number of more than 64 bits");
  }

  template <class Number>
  Number fixed() {
    Number value = 0;
    std::memcpy(&value, taken(sizeof value).data(), sizeof value);
    return value;
  }

  std::string_view rest_;
  std::string name_;
};

}  // namespace weft::inline v0_1::text
