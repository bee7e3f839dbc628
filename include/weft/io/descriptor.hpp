// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

#include <utility>

namespace weft::inline v0_1 {

/// An owner of a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  /// Returns −1 if nothing is open.
  int get() const { return number_; }

  /// Closes it. Returns false, with errno, if data that were written could not be stored.
  bool close() {
    if (number_ < 0) return true;
    return ::close(std::exchange(number_, -1)) == 0;
  }

 private:
  int number_;
};

}  // namespace weft::inline v0_1
