// Any vocab.txt, tokenizer_config.json and prompt give ids, or are rejected.
#include <array>
#include <cstddef>
#include <cstdint>

#include "tokenizer_folder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const FuzzedFolder folder;
  constexpr std::array names{"tokenizer_config.json", "vocab.txt"};
  folder.encode({reinterpret_cast<const char*>(data), size}, names);
  return 0;
}
