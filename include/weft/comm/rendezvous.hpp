// Rendezvous: a text from rank 0 to all processes of a job that share nothing but what their launcher says.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "weft/comm/launch_environment.hpp"
#include "weft/comm/line.hpp"
#include "weft/comm/meeting.hpp"
#include "weft/core/error.hpp"

namespace weft {

class Rendezvous {
 public:
  /// Refused if nothing says where rank 0 is.
  explicit Rendezvous(const LaunchEnvironment& place) : place_(place) {
    const bool is_one_host = place.local_world == place.world;
    if (!is_one_host && place.address.empty())
      refuse(place.launcher, " has started ranks on several hosts and does not tell them where rank 0 is; ",
             "set MASTER_ADDR to its host for all of them, as in mpirun -x MASTER_ADDR=node1");
    address_ = is_one_host ? "127.0.0.1" : place.address;
    const std::uint64_t job = std::hash<std::string>()(job_name(place));
    token_ = job;
    // Rank 0 takes the first of these that is free. MASTER_PORT itself is torchrun's.
    constexpr int lowest = 20000, span = 12000;
    const int first = place.port > 0 ? place.port + 1 : lowest + static_cast<int>(job % span);
    for (int i = 0; i < static_cast<int>(ports_.size()); ++i)
      ports_[static_cast<std::size_t>(i)] = first + i <= 65535 ? first + i : first - 2 - i;
  }

  /// Every process calls it and gets what rank 0 gives, a text of at most 8000 letters. Throws where ranks do
  /// not come within `patience`.
  std::string share(const std::string& text, std::chrono::milliseconds patience = std::chrono::seconds(60)) {
    const auto deadline = Clock::now() + patience;
    if (place_.world == 1) return text;
    if (place_.rank != 0) return ask(deadline);
    tell(text, deadline);
    return text;
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// The same for all processes of a job, and likely for no other's.
  static std::string job_name(const LaunchEnvironment& place) {
    std::string name = sentence(place.launcher, ' ', place.world, ' ', place.address, ' ', place.port);
    bool is_named = place.port > 0;
    for (const char* variable : {"TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "PMIX_NAMESPACE",
                                 "OMPI_MCA_ess_base_jobid", "PMI_JOBID", "SLURM_JOB_ID", "SLURM_STEP_ID"})
      if (const char* value = std::getenv(variable)) name += sentence(' ', value), is_named = true;
    return is_named ? name : sentence(name, ' ', ::getppid());  // all have one parent
  }

  void tell(const std::string& text, Clock::time_point deadline) const {
    const Door door = open_door();
    std::vector<Line> strangers;
    std::set<int> told;
    while (static_cast<int>(told.size()) + 1 < place_.world) {
      if (Clock::now() > deadline) throw std::runtime_error(absent(told));
      std::vector<pollfd> polled{{door.descriptor(), POLLIN, 0}};
      for (const Line& line : strangers) polled.push_back({line.descriptor(), POLLIN, 0});
      ::poll(polled.data(), polled.size(), 100);
      for (Line& line : strangers)
        line.hear([this, &line, &text, &told](const Word& word) {
          std::istringstream words(word.text);
          std::uint64_t token = 0;
          int rank = 0;
          if (word.kind != Word::hello || !(words >> token >> rank) || token != token_) return true;
          line.say({Word::welcome, 0, text});
          told.insert(rank);
          return true;
        });
      std::erase_if(strangers, [](const Line& line) { return !line.is_open(); });
      if (polled.front().revents & POLLIN) strangers.emplace_back(door.accept());
    }
  }

  Door open_door() const {
    for (const int port : ports_) {
      try {
        return Door(port, token_);
      } catch (const std::system_error&) {
        // somebody else's
      }
    }
    throw std::runtime_error(sentence("rank 0 cannot listen for the others: of the ports ", ports_.front(),
                                      " to ", ports_.back(), " none is free"));
  }

  std::string absent(const std::set<int>& told) const {
    std::vector<std::string> missing;
    for (int rank = 1; rank < place_.world; ++rank)
      if (!told.contains(rank)) missing.push_back(std::to_string(rank));
    return sentence("of ", place_.world, " ranks, ", listed(missing), " did not come to rank 0");
  }

  std::string ask(Clock::time_point deadline) const {
    while (Clock::now() < deadline) {
      for (const int port : ports_)
        if (std::optional<std::string> text = ask_at(port, deadline)) return *text;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw std::runtime_error(sentence("rank ", place_.rank, " did not find rank 0 at ", address_, ", ports ",
                                      ports_.front(), " to ", ports_.back()));
  }

  /// Nothing if nobody is there, or somebody else.
  std::optional<std::string> ask_at(int port, Clock::time_point deadline) const {
    Line line = Line::to(address_, port, std::chrono::milliseconds(500));
    if (!line.is_open()) return std::nullopt;
    line.say({Word::hello, 0, sentence(token_, ' ', place_.rank)});
    const auto until = std::min(deadline, Clock::now() + std::chrono::seconds(2));
    std::optional<std::string> text;
    while (line.is_open() && !text && Clock::now() < until) {
      pollfd ready{line.descriptor(), POLLIN, 0};
      ::poll(&ready, 1, 100);
      line.hear([&text](const Word& word) {
        if (word.kind == Word::welcome) text = word.text;
        return true;
      });
    }
    return text;
  }

  LaunchEnvironment place_;
  std::string address_;
  std::uint64_t token_ = 0;
  std::array<int, 8> ports_{};
};

}  // namespace weft
