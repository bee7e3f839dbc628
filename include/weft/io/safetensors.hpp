// SafeTensors: a file of eight bytes of header length, a JSON header, then the numbers of every tensor.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/dtype.hpp"
#include "weft/core/error.hpp"
#include "weft/core/numbers.hpp"
#include "weft/core/tensor.hpp"
#include "weft/io/file_guise.hpp"
#include "weft/io/json_object.hpp"
#include "weft/io/mapped_file.hpp"
#include "weft/io/name_list.hpp"

namespace weft::inline v0_1 {

/// A safetensors file, checked as a whole when opened: afterwards every entry's bytes are inside the file,
/// fit its shape and are no other entry's. Whether a dtype is readable is checked when its tensor is read.
/// Entries are valid as long as this object lives, and moving it keeps them valid. Threads may read at once.
class SafeTensors {
  static_assert(std::endian::native == std::endian::little,
                "safetensors are little-endian, and read in place");

 public:
  /// A tensor in the file.
  struct Entry : StoredNumbers {
    Shape shape;

    /// Returns the tensor as float32. Throws InvalidArgument if its dtype is not readable.
    Tensor tensor() const {
      Tensor out(shape);
      check_readable(dtype, "a tensor");
      if (!out.empty()) to_float(dtype, bytes.data(), out.data.size(), out.data.data());
      return out;
    }
  };

  using Entries = std::map<std::string, Entry, std::less<>>;
  using Metadata = std::map<std::string, std::string, std::less<>>;

  /// Maps the file for as long as this object lives. Throws InvalidArgument if it violates the format.
  explicit SafeTensors(const std::filesystem::path& path) : name_(path.string()), file_(path) {
    read(file_->bytes());
  }

  /// Reads `bytes`, which must outlive the result; `name` stands for the file in rejections. Throws
  /// InvalidArgument if they violate the format.
  [[nodiscard]] static SafeTensors parse(std::span<const std::byte> bytes, std::string name) {
    SafeTensors out(std::move(name), std::nullopt);
    out.read(bytes);
    return out;
  }

  const std::string& name() const { return name_; }
  const Entries& entries() const { return entries_; }
  const Metadata& metadata() const { return metadata_; }

  /// Returns null if there is no such tensor.
  const Entry* find(std::string_view tensor) const {
    const auto at = entries_.find(tensor);
    return at == entries_.end() ? nullptr : &at->second;
  }

  /// Returns a tensor as float32. Throws InvalidArgument if there is no such tensor or its dtype is not
  /// readable.
  Tensor tensor(std::string_view name) const { return converted(name, present(name)); }

  /// Returns a tensor as float32. Throws InvalidArgument also if its shape is not `shape`.
  Tensor tensor(std::string_view name, const Shape& shape) const {
    const Entry& entry = present(name);
    if (entry.shape != shape)
      reject(name_, ": tensor ", name, " is ", to_string(entry.shape), " and should be ", to_string(shape));
    return converted(name, entry);
  }

 private:
  SafeTensors(std::string name, std::optional<MappedFile> file)
      : name_(std::move(name)), file_(std::move(file)) {}

  const Entry& present(std::string_view tensor) const {
    const Entry* entry = find(tensor);
    if (!entry) reject(name_, " has no tensor ", tensor, "; it has ", first_few(keys_of(entries_)));
    return *entry;
  }

  Tensor converted(std::string_view tensor, const Entry& entry) const {
    check_readable(entry.dtype, sentence(name_, ": tensor ", tensor));
    return entry.tensor();
  }

  void read(std::span<const std::byte> bytes) {
    const std::string_view header = header_of(bytes);
    const auto data = bytes.subspan(sizeof(std::uint64_t) + header.size());
    if (!header.starts_with('{')) reject("the header of ", name_, " is not a JSON object");
    const JsonValue object = json_object(header, "the header of " + name_);
    for (const auto& [key, index] : object.members) {
      const JsonValue& value = object.items[index];
      if (key == "__metadata__") {
        metadata_ = metadata_in(value);
      } else {
        entries_.emplace(key, entry_in(value, data, name_ + ": tensor " + key));
      }
    }
    reject_gaps(data);
  }

  std::string_view header_of(std::span<const std::byte> bytes) const {
    constexpr std::uint64_t longest = 100'000'000;
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length)
      reject(name_, " is ", bytes.size(), " bytes long, and a safetensors file has at least ", sizeof length);
    std::memcpy(&length, bytes.data(), sizeof length);
    const auto rest = bytes.subspan(sizeof length);
    if (length > longest) {
      if (const auto format = foreign_format(bytes))
        reject(name_, " is ", format->name, " and no safetensors file; ", format->remedy);
      reject(name_, " announces a header of ", length, " bytes, and at most ", longest, " are allowed");
    }
    if (length > rest.size())
      reject(name_, " is truncated: it announces a header of ", length, " bytes and ", rest.size(),
             " follow");
    return {reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(length)};
  }

  Metadata metadata_in(const JsonValue& object) const {
    if (!object.is(JsonKind::object))
      reject(name_, ": __metadata__ is ", found(object), " and must be an object");
    Metadata metadata;
    for (const auto& [key, index] : object.members) {
      const JsonValue& value = object.items[index];
      if (!value.is(JsonKind::string))
        reject(name_, ": ", key, " in __metadata__ is ", found(value), " and must be a string");
      metadata.emplace(key, value.text);
    }
    return metadata;
  }

  /// Reads an entry of the header; `where` names file and tensor.
  static Entry entry_in(const JsonValue& object, std::span<const std::byte> data, const std::string& where) {
    if (!object.is(JsonKind::object)) reject(where, " is ", found(object), " and must be an object");
    const Dtype dtype = dtype_in(object, where);
    Shape shape = whole_numbers(object, "shape", where);
    const Shape offsets = whole_numbers(object, "data_offsets", where);
    if (offsets.size() != 2)
      reject(where, " has ", offsets.size(), " data_offsets and must have 2, begin and end");
    const auto begin = static_cast<std::uint64_t>(offsets[0]), end = static_cast<std::uint64_t>(offsets[1]);
    if (begin > end) reject(where, " begins at byte ", begin, " and ends before that, at ", end);
    if (end > data.size()) reject(where, " ends at byte ", end, ", and the data end at ", data.size());
    const auto needed = bytes_of(shape, dtype, where);
    if (end - begin != needed)
      reject(where, " has ", end - begin, " bytes, and ", to_string(shape), " of ", name_of(dtype), " needs ",
             needed);
    return {{dtype, data.subspan(begin, end - begin)}, std::move(shape)};
  }

  static const JsonValue& field(const JsonValue& object, std::string_view key, const std::string& where) {
    const JsonValue* value = object.find(key);
    if (!value) reject(where, " has no ", key);
    return *value;
  }

  static Dtype dtype_in(const JsonValue& object, const std::string& where) {
    const JsonValue& value = field(object, "dtype", where);
    std::vector<std::string> known;
    for (const DtypeTraits& traits : all_dtypes) {
      if (value.is(JsonKind::string) && value.text == traits.name) return traits.dtype;
      known.emplace_back(traits.name);
    }
    reject(where, " has dtype ", found(value), "; safetensors have ", listed(known));
  }

  static Shape whole_numbers(const JsonValue& object, std::string_view key, const std::string& where) {
    const JsonValue& values = field(object, key, where);
    if (!values.is(JsonKind::array))
      reject(where, " has ", key, " that is ", found(values), " and must be an array");
    Shape numbers;
    for (const JsonValue& value : values.items) {
      if (!value.is(JsonKind::natural) || !std::in_range<Index>(value.natural))
        reject(where, " has ", found(value), " in its ", key,
               ", and only whole numbers of 63 bits are allowed");
      numbers.push_back(static_cast<Index>(value.natural));
    }
    return numbers;
  }

  static std::uint64_t bytes_of(const Shape& shape, Dtype dtype, const std::string& where) {
    auto bits = static_cast<Index>(bits_of(dtype));
    for (const Index extent : shape) {
      if (extent > 0 && bits > std::numeric_limits<Index>::max() / extent)
        reject(where, " has shape ", to_string(shape), ", too large for any memory");
      bits *= extent;
    }
    if (bits % 8 != 0)
      reject(where, " has shape ", to_string(shape), ", which is no whole number of bytes of ",
             name_of(dtype));
    return static_cast<std::uint64_t>(bits / 8);
  }

  /// Throws InvalidArgument if tensors overlap or leave gaps.
  void reject_gaps(std::span<const std::byte> data) const {
    struct Placed {
      std::size_t begin, end;
      const std::string* name;
    };
    std::vector<Placed> placed;
    for (const auto& [name, entry] : entries_) {
      const auto begin = static_cast<std::size_t>(entry.bytes.data() - data.data());
      placed.push_back({begin, begin + entry.bytes.size(), &name});
    }
    std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    Placed last{0, 0, nullptr};
    for (const Placed& next : placed) {
      if (next.begin < last.end) reject(name_, ": tensors ", *last.name, " and ", *next.name, " overlap");
      if (next.begin > last.end)
        reject(name_, ": bytes ", last.end, " to ", next.begin, " of the data are no tensor's");
      last = next;
    }
    if (last.end != data.size())
      reject(name_, ": bytes ", last.end, " to ", data.size(), " of the data are no tensor's");
  }

  std::string name_;
  std::optional<MappedFile> file_;
  Entries entries_;
  Metadata metadata_;
};

}  // namespace weft::inline v0_1
