// LaunchEnvironment: what mpirun, torchrun or srun tell a process about its place among the others.
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

namespace weft {

/// A process's place in a job of several. The local numbers are those of its host.
struct LaunchEnvironment {
  std::string launcher;  // "mpirun", "torchrun" or "srun"
  int rank = 0, world = 1;
  int local_rank = 0, local_world = 1;
  std::string address;   // of rank 0's host; empty where the launcher tells none
  int port = 0;          // where rank 0 may listen; 0 where the launcher tells none
  bool has_pmi = false;  // an MPI can start from what the launcher tells
};

namespace detail {

/// The value of an environment variable, or null.
using Lookup = std::function<const char*(const char*)>;

inline const char* environment_variable(const char* name) { return std::getenv(name); }

class Launchers {
 public:
  explicit Launchers(Lookup lookup) : lookup_(std::move(lookup)) {}

  std::optional<LaunchEnvironment> environment() const {
    const std::optional<LaunchEnvironment> mpirun = place("mpirun", "OMPI_COMM_WORLD_RANK",
                                                          "OMPI_COMM_WORLD_SIZE"),
                                           torchrun = place("torchrun", "RANK", "WORLD_SIZE");
    if (mpirun && torchrun && (mpirun->rank != torchrun->rank || mpirun->world != torchrun->world))
      reject("mpirun says that this is rank ", mpirun->rank, " of ", mpirun->world,
             ", and RANK and WORLD_SIZE say ", torchrun->rank, " of ", torchrun->world,
             "; start with one launcher, or unset RANK and WORLD_SIZE");
    if (mpirun) return complete(*mpirun, "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", true);
    if (torchrun) return complete(*torchrun, "LOCAL_RANK", "LOCAL_WORLD_SIZE", false);
    // Those of srun are there as well where it started one of the others, once a host: theirs go first.
    if (has("SLURM_STEP_NUM_TASKS"))
      return complete(*place("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"), "SLURM_LOCALID", nullptr,
                      has("PMIX_RANK") || has("PMI_RANK"));
    if (const auto hydra = place("mpirun", "PMI_RANK", "PMI_SIZE"))
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
             "; the launcher sets it, and so should nobody else");
    return value;
  }

  /// Nothing if neither variable is set; rejected if only one is.
  std::optional<LaunchEnvironment> place(const char* launcher, const char* rank, const char* world) const {
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

  /// Adds what a launcher may leave out: then there is one host.
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

  /// Of this process's host: the list is such as 8, 8(x2) or 8(x2),4, a number for each host, and
  /// SLURM_NODEID says which of them this is; without that, ranks fill one host after the other.
  int tasks_of_host(const LaunchEnvironment& place) const {
    constexpr const char* variable = "SLURM_STEP_TASKS_PER_NODE";
    if (place.launcher != "srun" || !has(variable)) return place.world;
    const bool is_told = has("SLURM_NODEID");
    int hosts_left = is_told ? number("SLURM_NODEID", 0, most_ranks) : 0,
        ranks_left = is_told ? 0 : place.rank;
    for (std::string_view rest = lookup_(variable); !rest.empty();) {
      const auto [tasks, hosts] = next_hosts(variable, rest);
      if (is_told ? hosts_left < hosts : ranks_left / tasks < hosts) return std::min(tasks, place.world);
      is_told ? hosts_left -= hosts : ranks_left -= tasks * hosts;
    }
    reject(variable, " is \"", lookup_(variable), "\" and has no number for ",
           is_told ? sentence("host ", lookup_("SLURM_NODEID")) : sentence("rank ", place.rank),
           "; srun sets both, and so should nobody else");
  }

  /// Takes the next part off the list: so many tasks on each of so many hosts.
  std::pair<int, int> next_hosts(const char* variable, std::string_view& rest) const {
    int tasks = 0, hosts = 1;
    const bool is_right = take(rest, tasks) &&
                          (!take(rest, "(x") || (take(rest, hosts) && take(rest, ")"))) &&
                          (rest.empty() || (take(rest, ",") && !rest.empty()));
    if (!is_right || tasks < 1 || tasks > most_ranks || hosts < 1 || hosts > most_ranks / tasks)
      reject(variable, " is \"", lookup_(variable), "\" and must be a list such as 8(x2),4");
    return {tasks, hosts};
  }

  static bool take(std::string_view& rest, int& number) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return error == std::errc();
  }
  static bool take(std::string_view& rest, std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }

  static constexpr int most_ranks = 1 << 20;

  Lookup lookup_;
};

}  // namespace detail

/// Reads the launcher's variables in this process's environment; nothing if no launcher has started it.
/// Throws InvalidArgument where variables are missing or contradict each other.
inline std::optional<LaunchEnvironment> launch_environment(
    const detail::Lookup& lookup = detail::environment_variable) {
  return detail::Launchers(lookup).environment();
}

}  // namespace weft
