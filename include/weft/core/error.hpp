// Errors: what weft refuses before work starts, and sentences built from values.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace weft {

/// Input that is refused before any work starts. `what()` is one sentence that names the value, the rule
/// and the nearest thing that works. Programs end with exit code 2 on it.
class Refused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The printed parts, joined: `sentence("steps is ", 0)`.
template <class... Parts>
std::string sentence(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  throw Refused(sentence(parts...));
}

/// "a, b and c", for lists inside sentences.
template <class Names>
std::string listed(const Names& names) {
  std::string out;
  const auto count = std::size(names);
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += i + 1 == count ? " and " : ", ";
    out += names[i];
  }
  return out;
}

}  // namespace weft
