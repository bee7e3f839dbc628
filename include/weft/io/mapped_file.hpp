// A whole file in memory, read-only, paged in as it is read.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "weft/core/error.hpp"
#include "weft/io/descriptor.hpp"

namespace weft {

/// Nobody may shorten the file while it is mapped.
class MappedFile {
 public:
  /// Refused if `path` is missing, unreadable or not a regular file. An empty file has no bytes.
  explicit MappedFile(const std::filesystem::path& path) {
    // Not to wait: opening a pipe that nobody writes to would.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0) refuse_for_errno(path);
    if (S_ISDIR(status.st_mode)) refuse("cannot read ", path.string(), ": it is a folder, not a file");
    if (!S_ISREG(status.st_mode)) refuse("cannot read ", path.string(), ": it is not a regular file");
    if (status.st_size == 0) return;

    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (memory == MAP_FAILED) refuse_for_errno(path);
    bytes_ = {static_cast<const std::byte*>(memory), size};
  }

  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  /// Moving the file keeps them where they are.
  std::span<const std::byte> bytes() const { return bytes_; }

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  [[noreturn]] static void refuse_for_errno(const std::filesystem::path& path) {
    refuse("cannot read ", path.string(), ": ", std::generic_category().message(errno));
  }

  std::span<const std::byte> bytes_;
};

}  // namespace weft
