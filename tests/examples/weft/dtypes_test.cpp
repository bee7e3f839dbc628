// Inputs in the dtypes that Python programs save.
#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

/// Returns a golden's file with some tensors in other dtypes, and one more of a dtype that is not supported.
std::string file_with(const std::filesystem::path& golden, const std::map<std::string, std::string>& dtypes) {
  const weft::SafeTensors file(golden);
  nlohmann::json header;
  std::string data;
  const auto add = [&header, &data](const std::string& name, std::string_view dtype, const weft::Shape& shape,
                                    const std::string& bytes) {
    header[name] = {
        {"dtype", dtype}, {"shape", shape}, {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
  };
  const auto bytes_as = []<class Stored>(const weft::Tensor& tensor, Stored) {
    std::string bytes;
    for (const float number : tensor.data) {
      const auto stored = static_cast<Stored>(number);
      bytes.append(reinterpret_cast<const char*>(&stored), sizeof stored);
    }
    return bytes;
  };
  for (const auto& [name, entry] : file.entries()) {
    const auto at = dtypes.find(name);
    const std::string dtype = at == dtypes.end() ? "F32" : at->second;
    const weft::Tensor tensor = entry.tensor();
    add(name, dtype, entry.shape,
        dtype == "BOOL"  ? bytes_as(tensor, bool{})
        : dtype == "I32" ? bytes_as(tensor, std::int32_t{})
        : dtype == "F64" ? bytes_as(tensor, double{})
                         : bytes_as(tensor, float{}));
  }
  add("scaled_fp8", "F8_E4M3", {2}, "12");
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data;
}

}  // namespace

TEST_CASE("masks of BOOL and times of I32 equal those of F32, and tensors of other dtypes are not read") {
  const TemporaryFolder folder;
  const auto sample_of = [&folder](const std::map<std::string, std::string>& dtypes) {
    const auto inputs = folder.write(
        "inputs", std::string_view(file_with(goldens / "v12" / "forward_inputs.safetensors", dtypes)));
    const Outcome outcome = run(
        {"forward", "--model", goldens / "v12" / "model", "--inputs", inputs, "--out", folder / "sample"});
    CAPTURE(outcome.err);
    CHECK(outcome.code == 0);
    return folder.read("sample");
  };
  const std::string plain = sample_of({});
  CHECK(sample_of({{"text_embedding_mask", "BOOL"}, {"text_embedding_mask_t5", "BOOL"}}) == plain);
  CHECK(sample_of({{"timestep", "I32"}, {"text_embedding_mask", "I32"}, {"hidden_states", "F64"}}) == plain);
}

TEST_CASE("a tensor that is read must have a supported dtype") {
  const TemporaryFolder folder;
  std::string file =
      file_with(goldens / "v12" / "forward_inputs.safetensors", {{"text_embedding_mask", "BOOL"}});
  file.replace(file.find("\"BOOL\""), 6, "\"F8_E4M3\"");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof length);
  length += 3;
  std::memcpy(file.data(), &length, sizeof length);
  const auto inputs = folder.write("inputs", std::string_view(file));
  const Outcome outcome =
      run({"forward", "--model", goldens / "v12" / "model", "--inputs", inputs, "--out", folder / "sample"});
  CHECK(outcome.code == 2);
  CHECK(outcome.err.find("tensor text_embedding_mask has dtype F8_E4M3; F32, F16") != std::string::npos);
  CHECK(folder.count() == 1);
}
