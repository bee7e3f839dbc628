// The name of a type as a C++ programmer writes it.
#pragma once

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>

namespace weft::inline v0_1 {

/// Returns a text such as "weft::View<float, 2>".
template <class T>
std::string type_name() {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const char* const mangled = typeid(T).name();
  const std::unique_ptr<char, Free> text(abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr));
  return text ? text.get() : mangled;
}

}  // namespace weft::inline v0_1
