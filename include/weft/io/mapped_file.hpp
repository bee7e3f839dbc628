// MappedFile: a whole file in memory, read-only, paged in as it is read.
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
#include "weft/io/file_guise.hpp"

namespace weft::inline v0_1 {

/// An owner of a mapping. Bytes and text are valid as long as it lives, and moving it keeps them valid.
/// Threads may read at once. Nothing may shorten the file while it is mapped: reading on would raise SIGBUS.
class MappedFile {
 public:
  /// Maps a file. Throws InvalidArgument if `path` is missing, unreadable, not a regular file or a Git LFS
  /// pointer.
  explicit MappedFile(const std::filesystem::path& path) {
    // Non-blocking: opening a pipe would wait for a writer.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0) reject_for(errno, path);
    if (S_ISDIR(status.st_mode)) reject("cannot read ", path.string(), ": it is a folder, not a file");
    if (!S_ISREG(status.st_mode)) reject("cannot read ", path.string(), ": it is not a regular file");
    if (status.st_size == 0) return;

    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (memory == MAP_FAILED) reject_for(errno, path);
    bytes_ = {static_cast<const std::byte*>(memory), size};
    if (is_git_lfs_pointer(bytes_)) {
      unmap();
      reject(path.string(), " is a Git LFS pointer and not the file itself; run git lfs pull in its folder");
    }
  }

  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile() { unmap(); }

  /// Returns the content; empty for an empty file.
  std::span<const std::byte> bytes() const { return bytes_; }

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  void unmap() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  [[noreturn]] static void reject_for(int error, const std::filesystem::path& path) {
    if (error == ENOENT) reject_dangling_link(path);
    reject("cannot read ", path.string(), ": ", std::generic_category().message(error));
  }

  /// Throws InvalidArgument if some part of the path is a link whose target does not exist.
  static void reject_dangling_link(const std::filesystem::path& path) {
    std::error_code ignored;
    std::filesystem::path part;
    for (const std::filesystem::path& name : path) {
      part /= name;
      if (std::filesystem::is_symlink(part, ignored) && !std::filesystem::exists(part, ignored))
        reject("cannot read ", path.string(), ": ", part == path ? "it" : part.string(), " is a link to ",
               std::filesystem::read_symlink(part, ignored).string(), ", which is not there");
    }
  }

  std::span<const std::byte> bytes_;
};

}  // namespace weft::inline v0_1
