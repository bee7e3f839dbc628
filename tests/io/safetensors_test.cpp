#include "weft/io/safetensors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "temporary_folder.hpp"
#include "weft/io/safetensors_writer.hpp"

using doctest::Contains;
using weft::Dtype;
using weft::InvalidArgument;
using weft::SafeTensors;
using weft::Shape;
using weft::Tensor;

namespace {

/// Returns a file of this header and this many bytes of data.
std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + data;
}

std::string file_of(const std::string& header, std::size_t data = 0) {
  return file_of(header, std::string(data, '\1'));
}

SafeTensors parsed(const std::string& file) { return SafeTensors::parse(bytes_of(file), "f"); }

/// Returns an entry of the header.
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
         "}";
}

/// Returns the sentence with which a file of one tensor is rejected.
std::string rejection(const std::string& header, std::size_t data = 0) {
  try {
    parsed(file_of(header, data));
  } catch (const InvalidArgument& rejected) {
    return rejected.what();
  }
  return "accepted";
}

template <class Stored>
std::vector<float> converted(const std::string& dtype, const std::vector<Stored>& values) {
  const auto size = values.size() * sizeof(Stored);
  const std::string data(reinterpret_cast<const char*>(values.data()), size);
  const std::string shape = "[" + std::to_string(values.size()) + "]";
  const std::string file =
      file_of("{" + entry("a", dtype, shape, "[0," + std::to_string(size) + "]") + "}", data);
  return parsed(file).tensor("a").data;
}

}  // namespace

TEST_CASE("SafeTensors: reads what to_safetensors writes") {
  const Tensor matrix({2, 3}, {0, 1, 2, 3, 4, 5}), scalar({}, {7}), none({0, 4}, {});
  const TemporaryFolder folder;
  const auto path = folder.write(
      "w.safetensors", weft::to_safetensors({{"m", matrix}, {"s", scalar}, {"n", none}}, {{"format", "pt"}}));
  const SafeTensors opened(path);
  const SafeTensors file = SafeTensors(path);
  CHECK(file.name() == path.string());
  CHECK(file.entries().size() == 3);
  CHECK(file.metadata().at("format") == "pt");
  CHECK(file.tensor("m").shape == matrix.shape);
  CHECK(file.tensor("m", {2, 3}).data == matrix.data);
  CHECK(file.tensor("s", {}).data == scalar.data);
  CHECK(file.tensor("n", {0, 4}).empty());
  CHECK(file.find("m")->dtype == Dtype::f32);
  CHECK(file.find("m")->bytes.size() == 24);
  CHECK(file.find("x") == nullptr);
  CHECK_THROWS_WITH_AS(file.tensor("x"), Contains("w.safetensors has no tensor x; it has m, n and s"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(file.tensor("m", {3, 2}), Contains("tensor m is (2, 3) and should be (3, 2)"),
                       InvalidArgument);
}

TEST_CASE("SafeTensors: entries stay where they are when the file moves") {
  const TemporaryFolder folder;
  SafeTensors first(folder.write("w", weft::to_safetensors({{"a", Tensor({1}, {5})}})));
  const SafeTensors::Entry* entry = first.find("a");
  const SafeTensors second = std::move(first);
  CHECK(second.find("a") == entry);
  CHECK(entry->tensor().data == std::vector<float>{5});
}

TEST_CASE("to_safetensors: the same bytes each time, numbers at a multiple of 8") {
  const std::map<std::string, Tensor> tensors{{"b", Tensor({1}, {2})}, {"a", Tensor({2}, {1, 3})}};
  const auto bytes = weft::to_safetensors(tensors, {{"k", "v"}});
  CHECK(bytes == weft::to_safetensors(tensors, {{"k", "v"}}));
  CHECK((bytes.size() - 3 * sizeof(float)) % 8 == 0);
  const std::string header = R"({"a":{"data_offsets":[0,8],"dtype":"F32","shape":[2]}})";
  const auto one = weft::to_safetensors({{"a", tensors.at("a")}});
  CHECK(std::string(reinterpret_cast<const char*>(one.data()) + 8, header.size()) == header);
  CHECK(SafeTensors::parse(weft::to_safetensors({}), "f").entries().empty());
}

TEST_CASE("to_safetensors: tensors that the format cannot hold are rejected") {
  CHECK_THROWS_WITH_AS(weft::to_safetensors({{"__metadata__", Tensor({1})}}),
                       Contains("cannot be called __metadata__"), InvalidArgument);
  Tensor broken({3});
  broken.data.resize(2);
  CHECK_THROWS_WITH_AS(weft::to_safetensors({{"a", broken}}), Contains("a has 2 numbers and the shape (3)"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(weft::to_safetensors({{"\xff", Tensor({1})}}), Contains("must be UTF-8"),
                       InvalidArgument);
}

TEST_CASE("SafeTensors: every dtype becomes float32") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  CHECK(converted<float>("F32", {0.1f, -infinity, 0x1p-149f}) == std::vector{0.1f, -infinity, 0x1p-149f});
  // 1, -2, largest, smallest normal, largest and smallest subnormal, infinities, -0.
  CHECK(converted<std::uint16_t>("F16",
                                 {0x3c00, 0xc000, 0x7bff, 0x0400, 0x03ff, 0x8001, 0x7c00, 0xfc00, 0x8000}) ==
        std::vector{1.0f, -2.0f, 65504.0f, 0x1p-14f, 0x1.ff8p-15f, -0x1p-24f, infinity, -infinity, -0.0f});
  CHECK(std::isnan(converted<std::uint16_t>("F16", {0x7e00})[0]));
  CHECK(std::signbit(converted<std::uint16_t>("F16", {0x8000})[0]));
  CHECK(converted<std::uint16_t>("BF16", {0x3f80, 0xc040, 0x0001, 0x7f80, 0xff80}) ==
        std::vector{1.0f, -3.0f, 0x1p-133f, infinity, -infinity});
  CHECK(std::isnan(converted<std::uint16_t>("BF16", {0x7fc0})[0]));
  CHECK(converted<std::int64_t>("I64", {-1, 1 << 24, INT64_MIN}) == std::vector{-1.0f, 0x1p24f, -0x1p63f});
  CHECK(converted<std::int32_t>("I32", {-1, INT32_MIN}) == std::vector{-1.0f, -0x1p31f});
  CHECK(converted<std::int16_t>("I16", {-1, INT16_MAX}) == std::vector{-1.0f, 32767.0f});
  CHECK(converted<std::int8_t>("I8", {-1, INT8_MIN}) == std::vector{-1.0f, -128.0f});
  CHECK(converted<std::uint8_t>("U8", {0, 255}) == std::vector{0.0f, 255.0f});
  CHECK(converted<std::uint8_t>("BOOL", {0, 1, 2}) == std::vector{0.0f, 1.0f, 1.0f});
  CHECK(converted<double>("F64", {0.1, -1e300, 1e-300}) == std::vector{0.1f, -infinity, 0.0f});
}

TEST_CASE("SafeTensors: unaligned numbers, unordered entries and a padded header are read") {
  const std::string file =
      file_of("{" + entry("a", "F32", "[1]", "[2,6]") + "," + entry("b", "F16", "[1]", "[0,2]") + "}   ",
              std::string("\x00\x3c\x00\x00\x80\x3f", 6));
  CHECK(parsed(file).tensor("a").data == std::vector{1.0f});
  CHECK(parsed(file).tensor("b").data == std::vector{1.0f});
  CHECK(parsed(file_of("{}")).entries().empty());
}

TEST_CASE("SafeTensors: a broken frame is rejected") {
  CHECK_THROWS_WITH_AS(parsed(""), "f is 0 bytes long, and a safetensors file has at least 8",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(parsed("1234567"), Contains("f is 7 bytes long"), InvalidArgument);
  CHECK_THROWS_WITH_AS(parsed(file_of("{}   ").substr(0, 12)),
                       "f is truncated: it announces a header of 5 bytes and 4 follow", InvalidArgument);
  CHECK_THROWS_WITH_AS(
      parsed(std::string(8, '\xff') + "{}"),
      "f announces a header of 18446744073709551615 bytes, and at most 100000000 are allowed",
      InvalidArgument);
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(SafeTensors(folder / "none"), Contains("none: No such file"), InvalidArgument);
  CHECK_THROWS_WITH_AS(SafeTensors(folder.path()), Contains("it is a folder"), InvalidArgument);
  CHECK_THROWS_WITH_AS(SafeTensors(folder.write("empty", "")), Contains("is 0 bytes long"), InvalidArgument);
}

TEST_CASE("SafeTensors: a header that is not an object of tensors is rejected") {
  CHECK(rejection("") == "the header of f is not a JSON object");
  CHECK(rejection("[]") == "the header of f is not a JSON object");
  CHECK(rejection(" {}") == "the header of f is not a JSON object");
  CHECK(rejection("{\"a\": }") == "the header of f is not valid JSON at line 1, column 7");
  CHECK(rejection("{" + entry("a", "F32", "[0]", "[0,0]") + "," + entry("a", "F32", "[0]", "[0,0]") + "}") ==
        "the header of f holds the key \"a\" twice");
  CHECK(rejection("{\"a\": 1}") == "f: tensor a is 1 and must be an object");
  CHECK(rejection("{\"a\": {}}") == "f: tensor a has no dtype");
  CHECK(rejection("{\"a\": {\"dtype\": \"F32\"}}") == "f: tensor a has no shape");
  CHECK(rejection("{\"a\": {\"dtype\": \"F32\", \"shape\": []}}") == "f: tensor a has no data_offsets");
  CHECK(rejection("{\"__metadata__\": 1}") == "f: __metadata__ is 1 and must be an object");
  CHECK(rejection("{\"__metadata__\": {\"k\": 1}}") == "f: k in __metadata__ is 1 and must be a string");
}

TEST_CASE("SafeTensors: an unreadable dtype is rejected when its tensor is read") {
  const std::string bytes =
      file_of("{" + entry("a", "F8_E4M3", "[2]", "[0,2]") + "," + entry("b", "U8", "[2]", "[2,4]") + "," +
                  entry("c", "F4", "[3,2]", "[4,7]") + "}",
              7);
  const SafeTensors file = parsed(bytes);
  CHECK(file.tensor("b").data == std::vector{1.0f, 1.0f});
  CHECK_THROWS_WITH_AS(
      file.tensor("a"),
      "f: tensor a has dtype F8_E4M3; F32, F16, BF16, F64, I64, I32, I16, I8, U8 and BOOL can be read",
      InvalidArgument);
  CHECK_THROWS_WITH_AS(file.tensor("c", {3, 2}), Contains("f: tensor c has dtype F4; F32"), InvalidArgument);
  CHECK_THROWS_WITH_AS(file.find("a")->tensor(), Contains("has dtype F8_E4M3"), InvalidArgument);
}

TEST_CASE("SafeTensors: a dtype that is not in the format is rejected") {
  CHECK(rejection("{" + entry("a", "F9", "[1]", "[0,1]") + "}", 1)
            .starts_with("f: tensor a has dtype \"F9\"; safetensors have F32, F16"));
  CHECK(
      rejection("{\"a\": {\"dtype\": 5}}").starts_with("f: tensor a has dtype 5; safetensors have F32, F16"));
  CHECK(rejection("{" + entry("a", "F4", "[3]", "[0,1]") + "}", 1) ==
        "f: tensor a has shape (3), which is no whole number of bytes of F4");
}

TEST_CASE("SafeTensors: files of another format are named") {
  const auto rejected = [](const std::string& start, const char* part) {
    CHECK_THROWS_WITH_AS(parsed(start + std::string(64, '\1')), Contains(part), InvalidArgument);
  };
  rejected("PK\x03\x04", "f is a zip archive, such as torch.save writes");
  rejected("\x80\x02", "f is a Python pickle, such as torch.save writes");
  rejected("GGUF", "f is a GGUF file");
  rejected("\x89HDF", "f is an HDF5 file");
  rejected("\x1f\x8b", "f is compressed by gzip and no safetensors file; unpack it");
  rejected("<!DOCTYPE html>", "f is a page of the web");
}

TEST_CASE("SafeTensors: an invalid shape is rejected") {
  const auto shaped = [](const std::string& shape) {
    return rejection("{" + entry("a", "F32", shape, "[0,4]") + "}", 4);
  };
  const std::string numbers = " in its shape, and only whole numbers of 63 bits are allowed";
  CHECK(shaped("[-1]") == "f: tensor a has -1" + numbers);
  CHECK(shaped("[1.0]") == "f: tensor a has 1.0" + numbers);
  CHECK(shaped("[\"1\"]") == "f: tensor a has \"1\"" + numbers);
  CHECK(shaped("[9223372036854775808]") == "f: tensor a has 9223372036854775808" + numbers);
  CHECK(shaped("1") == "f: tensor a has shape that is 1 and must be an array");
  CHECK(shaped("[4294967296,4294967296]") ==
        "f: tensor a has shape (4294967296, 4294967296), too large for any memory");
  CHECK(shaped("[4294967296,4294967296,0]") ==
        "f: tensor a has shape (4294967296, 4294967296, 0), too large for any memory");
  CHECK(shaped("[2]") == "f: tensor a has 4 bytes, and (2) of F32 needs 8");
  CHECK(shaped("[0]") == "f: tensor a has 4 bytes, and (0) of F32 needs 0");
  CHECK(rejection("{" + entry("a", "F32", "[0,9223372036854775807,9223372036854775807]", "[0,0]") + "}") ==
        "accepted");
}

TEST_CASE("SafeTensors: offsets that do not fit the data are rejected") {
  const auto placed = [](const std::string& offsets) {
    return rejection("{" + entry("a", "F32", "[1]", offsets) + "}", 4);
  };
  CHECK(placed("[0,4]") == "accepted");
  CHECK(placed("[4,0]") == "f: tensor a begins at byte 4 and ends before that, at 0");
  CHECK(placed("[1,5]") == "f: tensor a ends at byte 5, and the data end at 4");
  CHECK(placed("[0]") == "f: tensor a has 1 data_offsets and must have 2, begin and end");
  CHECK(placed("[0,4,4]") == "f: tensor a has 3 data_offsets and must have 2, begin and end");
  CHECK(placed("[-4,0]") ==
        "f: tensor a has -4 in its data_offsets, and only whole numbers of 63 bits are allowed");
  CHECK(placed("{}") == "f: tensor a has data_offsets that is an object and must be an array");
}

TEST_CASE("SafeTensors: tensors must cover the data without gaps and overlaps") {
  const auto two = [](const std::string& a, const std::string& b, std::size_t data) {
    return rejection("{" + entry("a", "F32", "[1]", a) + "," + entry("b", "F32", "[1]", b) + "}", data);
  };
  CHECK(two("[4,8]", "[0,4]", 8) == "accepted");
  CHECK(two("[2,6]", "[0,4]", 6) == "f: tensors b and a overlap");
  CHECK(two("[0,4]", "[0,4]", 4) == "f: tensors a and b overlap");
  CHECK(two("[0,4]", "[6,10]", 10) == "f: bytes 4 to 6 of the data are no tensor's");
  CHECK(two("[1,5]", "[5,9]", 9) == "f: bytes 0 to 1 of the data are no tensor's");
  CHECK(two("[0,4]", "[4,8]", 9) == "f: bytes 8 to 9 of the data are no tensor's");
  CHECK(rejection("{}", 1) == "f: bytes 0 to 1 of the data are no tensor's");
  CHECK(rejection("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("z", "F32", "[0]", "[0,0]") + "}",
                  4) == "accepted");
  CHECK(rejection("{" + entry("a", "F32", "[1]", "[0,4]") + "," + entry("z", "F32", "[0]", "[2,2]") + "}",
                  4) == "f: tensors a and z overlap");
}
