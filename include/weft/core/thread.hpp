// Starting threads, with errors that name the limits to raise.
#pragma once

#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "weft/core/error.hpp"

namespace weft::inline v0_1 {

/// Starts a thread that calls `body`. Throws std::runtime_error if the system allows none, with a sentence
/// that names the thread as `name`, such as "rank 17 of 50", and the limits to raise.
template <class Body>
[[nodiscard]] std::jthread start_thread(std::string_view name, Body&& body) {
  try {
    return std::jthread(std::forward<Body>(body));
  } catch (const std::system_error& error) {
    throw std::runtime_error(sentence(name, " cannot be started: ", error.code().message(),
                                      "; raise the limit of threads (ulimit -u, a container's pids) or of ",
                                      "memory (ulimit -v), or use fewer ranks"));
  }
}

}  // namespace weft::inline v0_1
