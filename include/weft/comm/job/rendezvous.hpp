// Rendezvous: how the processes of a job that share nothing but what their launcher says find each other.
#pragma once

#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weft/comm/job/answer.hpp"
#include "weft/comm/job/launch_environment.hpp"
#include "weft/comm/job/meeting.hpp"
#include "weft/comm/job/roll_call.hpp"
#include "weft/comm/job/secret.hpp"
#include "weft/core/error.hpp"

namespace weft::job {

/// The connections of a process, rank 0's to all others, another's to rank 0, and the text that rank 0 gives.
struct Connected {
  std::vector<Member> members{};
  std::string text{};
};

namespace detail {

/// The same for all processes of a job, and likely for no other's.
inline std::string job_name(const LaunchEnvironment& place, const weft::detail::Lookup& lookup) {
  std::string name = sentence(place.launcher, ' ', place.world, ' ', place.address, ' ', place.port);
  bool is_named = place.port > 0;
  for (const char* variable : {"TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "PMIX_NAMESPACE",
                               "OMPI_MCA_ess_base_jobid", "PMI_JOBID", "SLURM_JOB_ID", "SLURM_STEP_ID"})
    if (const char* value = lookup(variable)) name += sentence(' ', value), is_named = true;
  const bool is_one_host = place.local_world == place.world;
  return is_named || !is_one_host ? name : sentence(name, ' ', ::getppid());  // all have one parent
}

}  // namespace detail

/// Where the processes of a job meet. On one host they need no secret: Unix sockets know their users. Throws
/// InvalidArgument where there are several hosts and no secret, or nothing says where rank 0 is.
inline Meeting meeting_of(const LaunchEnvironment& place,
                          const weft::detail::Lookup& lookup = weft::detail::environment_variable) {
  const bool is_one_host = place.local_world == place.world;
  if (!is_one_host && place.address.empty())
    reject(place.launcher, " has started ranks on several hosts and does not tell them where rank 0 is; ",
           "set MASTER_ADDR to its host for all of them, as in mpirun -x MASTER_ADDR=node1");
  const auto secret = secret_of(lookup);
  if (!is_one_host && !secret)
    reject(
        "ranks are on several hosts, and nothing tells them from whoever else is on the network; give all "
        "of ",
        "them one secret: export WEFT_SECRET=$(openssl rand -hex 32) before ", place.launcher,
        " starts them (mpirun: add -x WEFT_SECRET), or name a file of mode 600 that holds one by ",
        "WEFT_SECRET_FILE");
  const std::string name = detail::job_name(place, lookup);
  Meeting out{{}, Key(secret.value_or(""), name)};
  // Rank 0 takes the first that is free. What they are tells nothing of the secret.
  const std::string digest = Key("", name).proof("weft place", {});
  constexpr int candidates = 8, lowest = 20000, span = 12000;
  const int port = static_cast<int>(detail::number_in(digest) % span) + lowest;
  const int first = place.port > 0 ? place.port + 1 : port;  // MASTER_PORT itself is torchrun's
  for (int i = 0; i < candidates; ++i)
    out.places.push_back(
        is_one_host ? Place{.socket = sentence("weft-", ::geteuid(), '-', hex(digest.substr(0, 16)), '-', i)}
                    : Place{.host = place.address, .port = first + i <= 65535 ? first + i : first - 2 - i});
  return out;
}

/// Every process calls it, rank 0 with its listener, and gets what rank 0 gives, a text of at most 7,900
/// bytes, and its connections. Throws where ranks do not come within `patience`.
inline Connected connect(const Meeting& meeting, const Listener* listener, int rank, int ranks,
                         const std::string& text, std::chrono::milliseconds patience) {
  if (ranks == 1) return {{}, text};
  if (rank == 0) return {RollCall(*listener, meeting.key, ranks, text).run(patience), text};
  Welcome welcome = Answer(meeting, rank).run(patience);
  Connected out{{}, std::move(welcome.text)};
  out.members.push_back(std::move(welcome.rank0));
  return out;
}

/// The same for processes that know where they meet from their launcher.
inline Connected rendezvous(const LaunchEnvironment& place, const std::string& text,
                            std::chrono::milliseconds patience = std::chrono::seconds(60)) {
  if (place.world == 1) return {{}, text};
  const Meeting meeting = meeting_of(place);
  std::optional<Listener> listener;
  if (place.rank == 0) listener.emplace(meeting.places);
  return connect(meeting, listener ? &*listener : nullptr, place.rank, place.world, text, patience);
}

}  // namespace weft::job
