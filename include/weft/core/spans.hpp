// Spans of contiguous values. Their type is named: nvcc 13 spells one that std::span deduces in a way that
// GCC 13 rejects.
#pragma once

#include <cstddef>
#include <span>

namespace weft::inline v0_1 {

/// Returns the values of a vector, array or string, to be read.
template <class Values>
std::span<const typename Values::value_type> span_of(const Values& values) {
  return values;
}

/// Returns their bytes.
template <class Values>
std::span<const std::byte> bytes_of(const Values& values) {
  return std::as_bytes(span_of(values));
}

}  // namespace weft::inline v0_1
