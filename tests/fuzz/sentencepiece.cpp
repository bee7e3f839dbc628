// Any spiece.model and prompt give ids, or are rejected. The first byte is the length of the prompt, which
// stands before the file.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tokenizer_folder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const FuzzedFolder folder;
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer", "extra_ids": 2})");
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view prompt = bytes.substr(0, data[0]);
  folder.write("spiece.model", bytes.substr(prompt.size()));
  folder.encode(prompt);
  return 0;
}
