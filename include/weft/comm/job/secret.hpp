// The secret of a job whose processes are on several hosts, from the environment or a file.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>

#include "weft/comm/job/launch_environment.hpp"
#include "weft/core/error.hpp"
#include "weft/io/descriptor.hpp"

namespace weft::inline v0_1::job {

namespace detail {

/// Returns the file's text without trailing white space. Throws InvalidArgument unless the file is readable
/// by this user alone.
inline std::string secret_in_file(const char* name) {
  const Descriptor file(::open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0)
    reject("WEFT_SECRET_FILE is ", name, ", which cannot be read: ", std::strerror(errno));
  if (!S_ISREG(status.st_mode)) reject("WEFT_SECRET_FILE is ", name, ", which is no file");
  if (status.st_uid != ::geteuid() || (status.st_mode & 077) != 0)
    reject("WEFT_SECRET_FILE is ", name, ", which ",
           status.st_uid != ::geteuid() ? "belongs to another user" : "others may open",
           "; it must be this user's alone: chmod 600 ", name);
  std::string text(4096, '\0');
  const auto count = ::read(file.get(), text.data(), text.size());
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

}  // namespace detail

/// Returns WEFT_SECRET, or the contents of the file that WEFT_SECRET_FILE names; nothing if neither is set.
/// Throws InvalidArgument if the secret is shorter than 32 bytes, or the file is readable by other users.
[[nodiscard]] inline std::optional<std::string> secret_of(const weft::detail::Lookup& lookup) {
  constexpr std::size_t least = 32;
  const char *const text = lookup("WEFT_SECRET"), *const file = lookup("WEFT_SECRET_FILE");
  if (!text && !file) return std::nullopt;
  if (text && file) reject("WEFT_SECRET and WEFT_SECRET_FILE are both set; unset one of them");
  std::string secret = text ? text : detail::secret_in_file(file);
  if (secret.size() < least)
    reject(text ? "WEFT_SECRET" : "the secret in WEFT_SECRET_FILE", " has ", secret.size(),
           " characters and must have at least ", least, "; make one with: openssl rand -hex 32");
  return secret;
}

}  // namespace weft::inline v0_1::job
