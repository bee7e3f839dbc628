// Errors: what weft rejects before work starts, and sentences built from values.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdio>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weft::inline v0_1 {

/// Input that is rejected before any work starts. `what()` is one sentence that names the value, the rule
/// and the nearest thing that works. Programs end with exit code 2 on it.
class InvalidArgument : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The error of a request that was asked to stop; all ranks throw it together, between two steps.
class Cancelled : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The error of ranks that wait for another that has failed.
class Stopped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

/// A text or a number in a sentence; the text must outlive it.
class Part {
 public:
  constexpr Part(const char* text) : kind_(Kind::text), text_(text) {}
  constexpr Part(std::string_view text) : kind_(Kind::text), text_(text) {}
  constexpr Part(const std::string& text) : kind_(Kind::text), text_(text) {}
  constexpr Part(const char& letter) : kind_(Kind::text), text_(&letter, 1) {}
  constexpr Part(std::signed_integral auto number) : kind_(Kind::whole), whole_(number) {}
  constexpr Part(std::unsigned_integral auto number) : kind_(Kind::natural), natural_(number) {
    if constexpr (std::same_as<decltype(number), bool>) *this = number ? "true" : "false";
  }
  constexpr Part(double number) : kind_(Kind::real), real_(number) {}

  void append_to(std::string& out) const {
    char digits[32];
    switch (kind_) {
      case Kind::text:
        out += text_;
        return;
      case Kind::whole:
        std::snprintf(digits, sizeof digits, "%lld", whole_);
        break;
      case Kind::natural:
        std::snprintf(digits, sizeof digits, "%llu", natural_);
        break;
      case Kind::real:
        std::snprintf(digits, sizeof digits, "%g", real_);
        break;
    }
    out += digits;
  }

 private:
  enum class Kind { text, whole, natural, real } kind_;
  union {
    std::string_view text_;
    long long whole_;
    unsigned long long natural_;
    double real_;
  };
};

[[gnu::noinline]] inline std::string joined(std::initializer_list<Part> parts) {
  std::string out;
  for (const Part& part : parts) part.append_to(out);
  return out;
}

[[noreturn, gnu::noinline, gnu::cold]] inline void reject_joined(std::initializer_list<Part> parts) {
  throw InvalidArgument(joined(parts));
}

}  // namespace detail

/// Joins texts and numbers: `sentence("steps is ", 0)`.
template <class... Parts>
[[nodiscard]] std::string sentence(const Parts&... parts) {
  return detail::joined({detail::Part(parts)...});
}

/// Throws InvalidArgument with the parts joined to a sentence.
template <class... Parts>
[[noreturn]] void reject(const Parts&... parts) {
  detail::reject_joined({detail::Part(parts)...});
}

/// Returns "a, b and c", for lists inside sentences.
template <class Names>
[[nodiscard]] std::string listed(const Names& names) {
  std::string out;
  const auto count = std::size(names);
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += i + 1 == count ? " and " : ", ";
    out += names[i];
  }
  return out;
}

}  // namespace weft::inline v0_1
