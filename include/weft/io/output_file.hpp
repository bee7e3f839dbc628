// OutputFile: a file that appears whole or not at all.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>

#include "weft/core/error.hpp"
#include "weft/io/blocked_signal.hpp"
#include "weft/io/descriptor.hpp"

namespace weft::inline v0_1 {

/// A file to write. Construct it before the work and commit after: a path that cannot be written is rejected
/// before work is lost. Until `commit` succeeds, a file that is already there stays as it is.
class OutputFile {
 public:
  /// Checks the path. Throws InvalidArgument unless a file can be created beside `path` and take its place.
  /// Symbolic links are followed to the last target, which need not exist.
  explicit OutputFile(const std::filesystem::path& path) : path_(path) {
    if (path.empty()) reject("the name of the file to write is empty; give one, such as image.png");
    reject_unless_regular(path);
    follow_links();
    reject_unless_replaceable();
    try {
      Partial proof(path_);
    } catch (const std::system_error& error) {
      reject(error.what());
    }
  }

  /// Returns the path to be written, links followed.
  const std::filesystem::path& path() const { return path_; }

  /// Makes `bytes` the content of the file, stored on disk before it gets the name. Throws std::system_error,
  /// and leaves no partial file, if that fails, as with a full disk or a limit on the size of files.
  void commit(std::span<const std::byte> bytes) const {
    const BlockedSignal no_signal(SIGXFSZ);
    Partial partial(path_);
    partial.write(bytes);
    partial.take_place();
  }

 private:
  /// A new file beside its target, removed with this object unless it took the target's place. It exists for
  /// moments only, so that a process that is killed at work leaves none.
  class Partial {
   public:
    explicit Partial(const std::filesystem::path& target) : target_(target) {
      for (int attempt = 0; file_.get() < 0; ++attempt) {
        name_ =
            target.string() + "." + std::to_string(::getpid()) + "-" + std::to_string(attempt) + ".partial";
        file_ = Descriptor(::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (file_.get() < 0 && errno != EEXIST) fail();
      }
    }
    Partial(const Partial&) = delete;
    Partial& operator=(const Partial&) = delete;
    ~Partial() {
      if (!name_.empty()) ::unlink(name_.c_str());
    }

    void write(std::span<const std::byte> bytes) {
      while (!bytes.empty()) {
        const auto written = ::write(file_.get(), bytes.data(), bytes.size());
        if (written >= 0) {
          bytes = bytes.subspan(static_cast<std::size_t>(written));
        } else if (errno != EINTR) {
          fail();
        }
      }
    }

    /// Renames the file to its target.
    void take_place() {
      if (::fsync(file_.get()) != 0 || !file_.close() || std::rename(name_.c_str(), target_.c_str()) != 0)
        fail();
      name_.clear();
    }

   private:
    [[noreturn]] void fail() const {
      throw std::system_error(errno, std::generic_category(), "cannot write " + target_.string());
    }

    const std::filesystem::path& target_;
    std::string name_;
    Descriptor file_;
  };

  void follow_links() {
    constexpr int most_links = 40;  // as in Linux
    const std::string named = path_.string();
    std::error_code error;
    for (int links = 0; std::filesystem::is_symlink(path_, error); ++links) {
      const std::filesystem::path target = std::filesystem::read_symlink(path_, error);
      if (links == most_links) error = std::make_error_code(std::errc::too_many_symbolic_link_levels);
      if (error) reject("cannot write ", named, ": ", error.message());
      path_ = path_.parent_path() / target;
    }
  }

  static void reject_unless_regular(const std::filesystem::path& path) {
    std::error_code ignored;
    const auto status = std::filesystem::status(path, ignored);
    if (std::filesystem::is_directory(status))
      reject("cannot write ", path.string(), ": it is a folder; name a file in it, such as ",
             (path / "image.png").string());
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
      reject("cannot write ", path.string(), ": it is not a regular file; name a file in a folder");
  }

  void reject_unless_replaceable() const {
    std::error_code error;
    const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
    const bool has_folder = std::filesystem::is_directory(folder, error);
    if (error && error != std::errc::no_such_file_or_directory)
      reject("cannot write ", path_.string(), ": ", error.message());
    if (!has_folder)
      reject("cannot write ", path_.string(), ": there is no folder ", folder.string(), "; create it first");
    if (::access(path_.c_str(), F_OK) == 0 && ::access(path_.c_str(), W_OK) != 0)
      reject("cannot write ", path_.string(), ": the file is read-only; make it writable or name another");
  }

  std::filesystem::path path_;
};

}  // namespace weft::inline v0_1
