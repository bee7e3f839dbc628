#include "weft/io/weight_files.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temporary_folder.hpp"
#include "weft/io/safetensors_writer.hpp"

using doctest::Contains;
using weft::InvalidArgument;
using weft::Shape;
using weft::Tensor;
using weft::WeightFiles;

namespace {

constexpr auto index_name = "w.safetensors.index.json";

/// A folder with tensors a (1) and b (2, 2) in one shard, c (3) in another, and an index with this weight
/// map.
struct Sharded {
  TemporaryFolder folder;

  explicit Sharded(std::string_view weight_map) {
    folder.write("1.safetensors",
                 weft::to_safetensors({{"a", Tensor({1}, {1})}, {"b", Tensor({2, 2}, {1, 2, 3, 4})}}));
    folder.write("2.safetensors", weft::to_safetensors({{"c", Tensor({3}, {5, 6, 7})}}));
    folder.write(index_name, "{\"metadata\": {}, \"weight_map\": " + std::string(weight_map) + "}");
  }

  WeightFiles open() const { return WeightFiles(folder.path(), "w"); }
};

constexpr auto correct = R"({"a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"})";

}  // namespace

TEST_CASE("WeightFiles: one file") {
  const TemporaryFolder folder;
  folder.write("diffusion_pytorch_model.safetensors", weft::to_safetensors({{"a", Tensor({2}, {1, 2})}}));
  const WeightFiles weights(folder.path());
  CHECK(weights.names() == std::vector<std::string>{"a"});
  CHECK(weights.get("a", {2}).tensor().data == std::vector<float>{1, 2});
}

TEST_CASE("WeightFiles: shards") {
  const Sharded sharded(correct);
  WeightFiles opened = sharded.open();
  const WeightFiles weights = std::move(opened);
  CHECK(weights.names() == std::vector<std::string>{"a", "b", "c"});
  CHECK(weights.get("b", {2, 2}).tensor().data == std::vector<float>{1, 2, 3, 4});
  CHECK(weights.get("c", {3}).tensor().data == std::vector<float>{5, 6, 7});
  CHECK_THROWS_WITH_AS(weights.get("x", {3}), Contains(" has no tensor x; it has a, b and c"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(weights.get("c", {4}), Contains("tensor c is (3) and should be (4)"), InvalidArgument);
}

TEST_CASE("WeightFiles: the digest depends on weights, not on shards") {
  const auto digest_of = [](const std::map<std::string, Tensor>& tensors) {
    const TemporaryFolder folder;
    folder.write("w.safetensors", weft::to_safetensors(tensors));
    return WeightFiles(folder.path(), "w").digest();
  };
  const std::map<std::string, Tensor> same{
      {"a", Tensor({1}, {1})}, {"b", Tensor({2, 2}, {1, 2, 3, 4})}, {"c", Tensor({3}, {5, 6, 7})}};
  const auto digest = Sharded(correct).open().digest();
  CHECK(digest_of(same) == digest);
  const auto changed = [&](auto change) {
    auto tensors = same;
    change(tensors);
    return digest_of(tensors);
  };
  CHECK(changed([](auto& tensors) { tensors["b"].data[3] = 5; }) != digest);
  CHECK(changed([](auto& tensors) { tensors["b"].shape = {4}; }) != digest);
  CHECK(changed([](auto& tensors) { tensors["d"] = tensors["c"], tensors.erase("c"); }) != digest);
  CHECK(changed([](auto& tensors) { tensors.erase("a"); }) != digest);

  const auto long_one = [&](std::size_t at) {
    Tensor tensor({1000});
    if (at < 1000) tensor.data[at] = 1;
    return digest_of({{"a", tensor}});
  };
  for (const std::size_t sampled : {0, 15, 500, 984, 999}) CHECK(long_one(sampled) != long_one(1000));
  CHECK(long_one(250) == long_one(1000));
}

TEST_CASE("WeightFiles: expect compares everything at once") {
  const Sharded sharded(correct);
  const WeightFiles weights = sharded.open();
  const std::string folder = sharded.folder.path().string();
  CHECK_NOTHROW(weights.expect({{"a", {1}}, {"b", {2, 2}}, {"c", {3}}}));
  CHECK_THROWS_WITH_AS(
      weights.expect({{"b", {2, 4}}, {"c", {3}}, {"m", {1}}, {"n", {1}}}),
      (folder +
       ": 2 tensors are missing: m and n; 1 is surplus: a; 1 is misshapen: b is (2, 2) and should be (2, 4)")
          .c_str(),
      InvalidArgument);
  CHECK_THROWS_WITH_AS(weights.expect({{"a", {1}}, {"b", {2, 2}}}),
                       (folder + ": 1 tensor is surplus: c").c_str(), InvalidArgument);
  CHECK_THROWS_WITH_AS(weights.expect({{"a", {1}}, {"b", {4}}, {"c", {1, 3}}}),
                       Contains(": 2 tensors are misshapen: b is (2, 2) and should be (4) and c is (3) and"),
                       InvalidArgument);

  std::map<std::string, Shape> many{{"a", {1}}, {"b", {2, 2}}, {"c", {3}}};
  for (int i = 0; i < 9; ++i) many["m" + std::to_string(i)] = {1};
  CHECK_THROWS_WITH_AS(weights.expect(many), Contains(": 9 tensors are missing: m0, m1, m2, m3 and 5 more"),
                       InvalidArgument);
}

TEST_CASE("WeightFiles: a folder with neither or both of file and index is rejected") {
  const Sharded sharded(correct);
  const std::string folder = sharded.folder.path().string();
  CHECK_THROWS_WITH_AS(WeightFiles{folder},
                       Contains("neither diffusion_pytorch_model.safetensors nor "
                                "diffusion_pytorch_model.safetensors.index.json, one "),
                       InvalidArgument);
  sharded.folder.write("w.safetensors", weft::to_safetensors({}));
  CHECK_THROWS_WITH_AS(sharded.open(), Contains("has both w.safetensors and w.safetensors.index.json"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(WeightFiles(folder + "/none"), Contains("there is no folder"), InvalidArgument);
}

TEST_CASE("WeightFiles: a rejection names files under other names, and says what to do") {
  const auto rejected = [](const std::vector<std::string>& files, const char* part) {
    const TemporaryFolder folder;
    for (const std::string& file : files) folder.write(file, "");
    CAPTURE(part);
    CHECK_THROWS_WITH_AS(WeightFiles(folder.path(), "w"), Contains(part), InvalidArgument);
  };
  rejected({"w.fp16.safetensors", "w.bin"},
           "; it has w.fp16.safetensors: rename the one to take to w.safetensors");
  rejected({"w.safetensors.index.fp16.json", "w.fp16-00001-of-00002.safetensors"},
           "; it has w.safetensors.index.fp16.json: copy the one to take to w.safetensors.index.json");
  rejected({"w.fp16.safetensors.index.json"}, "nor w.safetensors.index.json, one of which is needed");
  rejected({"w.fp16.safetensors.index.fp16.json"}, "copy the one to take");
  rejected(
      {"w-00001-of-00002.safetensors", "w-00002-of-00002.safetensors"},
      "; it has the shards w-00001-of-00002.safetensors and w-00002-of-00002.safetensors: add their index");
  rejected({"w.bin"}, "; it has w.bin, which is not read: save the weights with safe_serialization=True");
  rejected({"config.json"}, "has neither w.safetensors nor w.safetensors.index.json, one of which is needed");
}

TEST_CASE("WeightFiles: a rejection names files of other formats") {
  const TemporaryFolder folder;
  const auto rejected = [&folder](const char* part) {
    CHECK_THROWS_WITH_AS(WeightFiles(folder.path(), "w"), Contains(part), InvalidArgument);
  };
  std::filesystem::create_symlink("nowhere", folder / "w.safetensors");
  rejected("w.safetensors: it is a link to nowhere, which is not there");
  std::filesystem::remove(folder / "w.safetensors");
  folder.write("w.safetensors", "version https://git-lfs.github.com/spec/v1\n");
  rejected("w.safetensors is a Git LFS pointer");
  folder.write("w.safetensors", "PK\x03\x04" + std::string(100, '\7'));
  rejected("w.safetensors is a zip archive");
}

TEST_CASE("WeightFiles: an unreadable dtype is rejected when its tensor is used") {
  const TemporaryFolder folder;
  const std::string header = R"({"a":{"dtype":"F8_E5M2","shape":[0],"data_offsets":[0,0]},)"
                             R"("b":{"dtype":"BOOL","shape":[0],"data_offsets":[0,0]}})";
  folder.write("w.safetensors",
               std::string{static_cast<char>(header.size())} + std::string(7, '\0') + header);
  const WeightFiles weights(folder.path(), "w");
  CHECK(weights.get("b", {0}).tensor().empty());
  CHECK_THROWS_WITH_AS(weights.get("a", {0}), Contains(": tensor a has dtype F8_E5M2; F32, F16"),
                       InvalidArgument);
}

TEST_CASE("WeightFiles: an index that differs from its shards is rejected") {
  const auto rejected = [](std::string_view weight_map, const char* part) {
    CHECK_THROWS_WITH_AS(Sharded(weight_map).open(), Contains(part), InvalidArgument);
  };
  rejected(R"({"a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors", "x": "2.safetensors"})",
           "w.safetensors.index.json places tensor x in 2.safetensors, which does not hold it");
  rejected(R"({"a": "1.safetensors", "c": "2.safetensors"})", "1.safetensors holds tensor b, which ");
  rejected(R"({"a": "1.safetensors", "b": "1.safetensors", "c": "3.safetensors"})",
           "names the shard 3.safetensors, which is not in ");
  rejected("7", "weight_map is 7 and must be an object of strings");
  rejected("null", "weight_map is missing");
  rejected(R"({"a": 1})", "weight_map.a is 1 and must be a string");
  for (const char* escape :
       {"../1.safetensors", "/1.safetensors", "./1.safetensors", "x/../1.safetensors", "..", ".", ""})
    rejected(R"({"a": ")" + std::string(escape) + "\"}", "a shard is a plain file name");
}

TEST_CASE("WeightFiles: a tensor in two shards is rejected") {
  const Sharded sharded(correct);
  sharded.folder.write("2.safetensors", weft::to_safetensors({{"a", Tensor({1})}, {"c", Tensor({3})}}));
  CHECK_THROWS_WITH_AS(sharded.open(), Contains("places in 1.safetensors"), InvalidArgument);
}
