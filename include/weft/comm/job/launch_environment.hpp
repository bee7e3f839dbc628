// LaunchEnvironment: a process's rank and world as mpirun, torchrun or srun set them in its environment.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "weft/core/error.hpp"

namespace weft::inline v0_1 {

/// The rank of a process in its job; the local numbers are those of its host.
struct LaunchEnvironment {
  std::string launcher;  // "mpirun", "torchrun" or "srun"
  int rank = 0, world = 1;
  int local_rank = 0, local_world = 1;
  std::string address;   // of rank 0's host; empty if the launcher sets none
  int port = 0;          // where rank 0 may listen; 0 if the launcher sets none
  bool has_pmi = false;  // whether MPI can initialize from the launcher's variables
};

namespace detail {

/// Returns the value of an environment variable, or null.
using Lookup = std::function<const char*(const char*)>;

inline const char* environment_variable(const char* name) { return std::getenv(name); }

/// Reads the variables of every launcher that weft knows.
class Launchers {
 public:
  explicit Launchers(Lookup lookup) : lookup_(std::move(lookup)) {}

  std::optional<LaunchEnvironment> environment() const {
    const auto mpirun = started_by("mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
    const auto torchrun = started_by("torchrun", "RANK", "WORLD_SIZE");
    if (mpirun && torchrun && (mpirun->rank != torchrun->rank || mpirun->world != torchrun->world))
      reject("mpirun says that this is rank ", mpirun->rank, " of ", mpirun->world,
             ", and RANK and WORLD_SIZE say ", torchrun->rank, " of ", torchrun->world,
             "; start with one launcher, or unset RANK and WORLD_SIZE");
    if (mpirun) return complete(*mpirun, "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", true);
    if (torchrun) return complete(*torchrun, "LOCAL_RANK", "LOCAL_WORLD_SIZE", false);
    // Where srun starts another launcher once a host, its variables are set as well: the other's go first.
    if (has("SLURM_STEP_NUM_TASKS"))
      return complete(*started_by("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"), "SLURM_LOCALID", nullptr,
                      has("PMIX_RANK") || has("PMI_RANK"));
    if (const auto hydra = started_by("mpirun", "PMI_RANK", "PMI_SIZE"))
      return complete(*hydra, "MPI_LOCALRANKID", "MPI_LOCALNRANKS", true);
    if (has("PMIX_RANK"))
      reject("PMIX_RANK is ", lookup_("PMIX_RANK"),
             ", and nothing says of how many ranks; start with mpirun, torchrun or srun");
    return std::nullopt;
  }

 private:
  bool has(const char* name) const { return lookup_(name) != nullptr; }

  int number(const char* name, int least, int most) const {
    const std::string_view text = lookup_(name);
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
      reject(name, " is \"", text, "\" and must be a whole number from ", least, " to ", most,
             "; the launcher sets it, and nothing else should");
    return value;
  }

  /// Returns nothing if neither variable is set. Throws InvalidArgument if only one is.
  std::optional<LaunchEnvironment> started_by(const char* launcher, const char* rank,
                                              const char* world) const {
    if (!has(rank) && !has(world)) return std::nullopt;
    if (!has(rank) || !has(world))
      reject(has(rank) ? rank : world, " is set and ", has(rank) ? world : rank, " is not; ", launcher,
             " sets both, and for one process alone neither is needed");
    LaunchEnvironment out;
    out.launcher = launcher;
    out.world = number(world, 1, most_ranks);
    out.rank = number(rank, 0, out.world - 1);
    return out;
  }

  /// Adds the variables that a launcher may leave unset; without them all ranks are taken to be on one host.
  LaunchEnvironment complete(LaunchEnvironment out, const char* local_rank, const char* local_world,
                             bool has_pmi) const {
    out.local_world =
        local_world && has(local_world) ? number(local_world, 1, out.world) : tasks_of_host(out);
    out.local_rank =
        has(local_rank) ? number(local_rank, 0, out.local_world - 1) : out.rank % out.local_world;
    if (has("MASTER_ADDR")) out.address = lookup_("MASTER_ADDR");
    if (has("MASTER_PORT")) out.port = number("MASTER_PORT", 1, 65535);
    if (out.launcher == "torchrun" && (out.address.empty() || out.port == 0))
      reject("RANK and WORLD_SIZE are set and ", out.address.empty() ? "MASTER_ADDR" : "MASTER_PORT",
             " is not; torchrun sets all four, and for one process alone none is needed");
    if (out.address.empty() && has("SLURM_LAUNCH_NODE_IPADDR"))
      out.address = lookup_("SLURM_LAUNCH_NODE_IPADDR");
    out.has_pmi = has_pmi;
    return out;
  }

  /// Returns how many ranks are on this process's host, from a list such as 8, 8(x2) or 8(x2),4 with a number
  /// for each host. SLURM_NODEID is this host's index; without it, ranks fill one host after the other.
  int tasks_of_host(const LaunchEnvironment& environment) const {
    constexpr const char* variable = "SLURM_STEP_TASKS_PER_NODE";
    if (environment.launcher != "srun" || !has(variable)) return environment.world;
    const bool has_host = has("SLURM_NODEID");
    const int host = has_host ? number("SLURM_NODEID", 0, most_ranks) : 0;
    int first_host = 0, first_rank = 0;
    for (std::string_view rest = lookup_(variable); !rest.empty();) {
      const HostGroup group = take_group(variable, rest);
      const bool holds_this = has_host ? host - first_host < group.hosts
                                       : (environment.rank - first_rank) / group.tasks < group.hosts;
      if (holds_this) return std::min(group.tasks, environment.world);
      first_host += group.hosts;
      first_rank += group.tasks * group.hosts;
    }
    reject(variable, " is \"", lookup_(variable), "\" and has no number for ",
           has_host ? sentence("host ", lookup_("SLURM_NODEID")) : sentence("rank ", environment.rank),
           "; srun sets both, and nothing else should");
  }

  /// Neighbouring hosts with as many tasks each.
  struct HostGroup {
    int tasks = 0;
    int hosts = 1;
  };

  /// Removes the first group from the list and returns it.
  HostGroup take_group(const char* variable, std::string_view& rest) const {
    HostGroup group;
    const bool is_right = take(rest, group.tasks) &&
                          (!take(rest, "(x") || (take(rest, group.hosts) && take(rest, ")"))) &&
                          (rest.empty() || (take(rest, ",") && !rest.empty()));
    if (!is_right || group.tasks < 1 || group.tasks > most_ranks || group.hosts < 1 ||
        group.hosts > most_ranks / group.tasks)
      reject(variable, " is \"", lookup_(variable), "\" and must be a list such as 8(x2),4");
    return group;
  }

  /// Removes a number, or a text, from the front; returns whether it was there.
  static bool take(std::string_view& rest, int& number) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return error == std::errc();
  }
  static bool take(std::string_view& rest, std::string_view text) {
    if (!rest.starts_with(text)) return false;
    rest.remove_prefix(text.size());
    return true;
  }

  static constexpr int most_ranks = 1 << 20;

  Lookup lookup_;
};

}  // namespace detail

/// Reads the launcher's variables in this process's environment; returns nothing if no launcher has started
/// it. Throws InvalidArgument if variables are missing or contradict each other.
[[nodiscard]] inline std::optional<LaunchEnvironment> launch_environment(
    const detail::Lookup& lookup = detail::environment_variable) {
  return detail::Launchers(lookup).environment();
}

}  // namespace weft::inline v0_1
