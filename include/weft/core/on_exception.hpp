// OnException: cleans up when an exception leaves a scope.
#pragma once

#include <exception>
#include <utility>

namespace weft::inline v0_1 {

/// Calls act() when its scope is left by an exception.
template <class Act>
class [[nodiscard]] OnException {
 public:
  explicit OnException(Act act) : act_(std::move(act)) {}
  OnException(const OnException&) = delete;
  OnException& operator=(const OnException&) = delete;
  ~OnException() {
    if (std::uncaught_exceptions() > before_) act_();
  }

 private:
  Act act_;
  int before_ = std::uncaught_exceptions();
};

}  // namespace weft::inline v0_1
