// The host's memory that is free for this process.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "weft/backend/free_memory.hpp"
#include "weft/core/digest.hpp"

namespace weft::inline v0_1::host {

/// The folders in which Linux reports memory (proc(5); Documentation/admin-guide/cgroup-v1/memory.rst and
/// cgroup-v2.rst).
struct MemoryFiles {
  std::filesystem::path proc = "/proc", cgroup = "/sys/fs/cgroup";
};

namespace detail {

/// Returns the number after `key` in a file of lines "key number", if any.
inline std::optional<double> number_of(const std::filesystem::path& path, const std::string& key) {
  std::ifstream file(path);
  std::string name;
  for (double number = 0; file >> name >> number; file.ignore(256, '\n'))
    if (name == key) return number;
  return std::nullopt;
}

/// Returns the number in a file, or nothing if the file is missing or has "max".
inline std::optional<double> number_in_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  double number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

/// The names of the files of one cgroup version.
struct CgroupVersion {
  const char *limit, *usage, *reclaimable;
};
constexpr CgroupVersion cgroup_v1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"},
    cgroup_v2{"memory.max", "memory.current", "inactive_file"};

/// Returns the bytes that the limits of a control group and its ancestors leave. In a container the group may
/// have the host's name for it; the root is then the container's own group.
inline double free_in_cgroup(const std::filesystem::path& root, std::filesystem::path group,
                             const CgroupVersion& version) {
  double free = std::numeric_limits<double>::infinity();
  for (group = group.relative_path();; group = group.parent_path()) {
    const std::filesystem::path folder = root / group;
    const std::optional<double> limit = number_in_file(folder / version.limit),
                                usage = number_in_file(folder / version.usage);
    if (limit && usage) {
      const double caches = number_of(folder / "memory.stat", version.reclaimable).value_or(0);
      free = std::min(free, std::max(0.0, *limit - *usage + std::min(caches, *usage)));
    }
    if (group.empty()) return free;
  }
}

/// Returns the bytes that the limits of this process's control groups leave, or infinity.
inline double free_in_cgroups(const MemoryFiles& files) {
  double free = std::numeric_limits<double>::infinity();
  std::ifstream groups(files.proc / "self" / "cgroup");
  for (std::string line; std::getline(groups, line);) {  // hierarchy:controllers:group
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::filesystem::path group = line.substr(second + 1);
    if (controllers == ",,") free = std::min(free, free_in_cgroup(files.cgroup, group, cgroup_v2));
    if (controllers.find(",memory,") != controllers.npos)
      free = std::min(free, free_in_cgroup(files.cgroup / "memory", group, cgroup_v1));
  }
  return free;
}

}  // namespace detail

/// Returns the bytes that can be allocated without swapping: those available on the host, within the limits
/// of this process's control groups, such as a container's.
[[nodiscard]] inline double free_host_memory(const MemoryFiles& files = {}) {
  const std::optional<double> available = detail::number_of(files.proc / "meminfo", "MemAvailable:");
  const double on_host = available ? 1024 * *available
                                   : static_cast<double>(sysconf(_SC_AVPHYS_PAGES)) *
                                         static_cast<double>(sysconf(_SC_PAGE_SIZE));
  return std::min(on_host, detail::free_in_cgroups(files));
}

/// Returns the same, with the host's name as the memory's.
[[nodiscard]] inline FreeMemory free_memory() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return {digest_of(std::string_view(name.data())), static_cast<std::uint64_t>(free_host_memory())};
}

}  // namespace weft::inline v0_1::host
