// Any bytes are a valid safetensors file, or rejected.
#include "weft/io/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto file = weft::SafeTensors::parse(std::as_bytes(std::span(data, size)), "file");
    for (const auto& [name, entry] : file.entries())
      if (is_readable(entry.dtype) &&
          file.tensor(name, entry.shape).size() != weft::element_count(entry.shape))
        __builtin_trap();
  } catch (const weft::InvalidArgument&) {
  }
  return 0;
}
