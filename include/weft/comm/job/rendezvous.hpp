// Rendezvous: connects the processes of a job that share nothing but their launch environment.
#pragma once

#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weft/comm/job/launch_environment.hpp"
#include "weft/comm/job/rendezvous_client.hpp"
#include "weft/comm/job/rendezvous_info.hpp"
#include "weft/comm/job/rendezvous_server.hpp"
#include "weft/comm/job/secret.hpp"
#include "weft/core/error.hpp"

namespace weft::inline v0_1::job {

/// The connections of a process, rank 0's to all other ranks or another rank's to rank 0, and rank 0's text.
struct Connected {
  std::vector<RemoteProcess> processes{};
  std::string text{};
};

namespace detail {

/// Returns a name that is the same for all processes of a job, and likely different for every other job.
inline std::string job_name(const LaunchEnvironment& environment, const weft::detail::Lookup& lookup) {
  std::string name =
      sentence(environment.launcher, ' ', environment.world, ' ', environment.address, ' ', environment.port);
  bool is_named = environment.port > 0;
  for (const char* variable : {"TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "PMIX_NAMESPACE",
                               "OMPI_MCA_ess_base_jobid", "PMI_JOBID", "SLURM_JOB_ID", "SLURM_STEP_ID"})
    if (const char* value = lookup(variable)) {
      name += sentence(' ', value);
      is_named = true;
    }
  const bool is_one_host = environment.local_world == environment.world;
  return is_named || !is_one_host ? name : sentence(name, ' ', ::getppid());  // all have the same parent
}

}  // namespace detail

/// Derives endpoints and key from the launch environment. On one host no secret is needed: Unix sockets know
/// the user of the other side. Throws InvalidArgument if there are several hosts and no secret, or the host
/// of rank 0 is unknown.
[[nodiscard]] inline RendezvousInfo rendezvous_info(
    const LaunchEnvironment& environment,
    const weft::detail::Lookup& lookup = weft::detail::environment_variable) {
  const bool is_one_host = environment.local_world == environment.world;
  if (!is_one_host && environment.address.empty())
    reject(environment.launcher,
           " has started ranks on several hosts and does not tell them where rank 0 is; ",
           "set MASTER_ADDR to its host for all of them, as in mpirun -x MASTER_ADDR=node1");
  const auto secret = secret_of(lookup);
  if (!is_one_host && !secret)
    reject(
        "ranks are on several hosts, and nothing tells them from other processes on the network; give all "
        "of ",
        "them one secret: export WEFT_SECRET=$(openssl rand -hex 32) before ", environment.launcher,
        " starts them (mpirun: add -x WEFT_SECRET), or name a file of mode 600 that holds one by ",
        "WEFT_SECRET_FILE");
  const std::string name = detail::job_name(environment, lookup);
  RendezvousInfo out{{}, Key(secret.value_or(""), name)};
  // Rank 0 listens at the first that is free. The endpoints do not depend on the secret.
  const std::string digest = Key("", name).proof("weft place", {});
  constexpr int candidates = 8, lowest = 20000, span = 12000;
  const int port = static_cast<int>(detail::number_in(digest) % span) + lowest;
  const int first = environment.port > 0 ? environment.port + 1 : port;  // torchrun uses MASTER_PORT itself
  for (int i = 0; i < candidates; ++i) {
    if (is_one_host) {
      out.endpoints.push_back(
          {.socket = sentence("weft-", ::geteuid(), '-', hex(digest.substr(0, 16)), '-', i)});
    } else {
      out.endpoints.push_back(
          {.host = environment.address, .port = first + i <= 65535 ? first + i : first - 2 - i});
    }
  }
  return out;
}

/// Connects rank 0 with every other rank, and broadcasts rank 0's text of at most 7,900 bytes. Every process
/// calls it, rank 0 with its listener. Throws if not all ranks have connected within `patience`.
[[nodiscard]] inline Connected connect(const RendezvousInfo& info, const Listener* listener, int rank,
                                       int ranks, const std::string& text,
                                       std::chrono::milliseconds patience) {
  if (ranks == 1) return {{}, text};
  if (rank == 0) return {RendezvousServer(*listener, info.key, ranks, text).run(patience), text};
  Welcome welcome = RendezvousClient(info, rank).run(patience);
  Connected out{{}, std::move(welcome.text)};
  out.processes.push_back(std::move(welcome.rank0));
  return out;
}

/// Connects the processes of a launch environment.
[[nodiscard]] inline Connected rendezvous(const LaunchEnvironment& environment, const std::string& text,
                                          std::chrono::milliseconds patience = std::chrono::seconds(60)) {
  if (environment.world == 1) return {{}, text};
  const RendezvousInfo info = rendezvous_info(environment);
  std::optional<Listener> listener;
  if (environment.rank == 0) listener.emplace(info.endpoints);
  return connect(info, listener ? &*listener : nullptr, environment.rank, environment.world, text, patience);
}

}  // namespace weft::inline v0_1::job
