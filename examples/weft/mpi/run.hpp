// The command in processes on the host, which MPI connects. Without MPI, absent.cpp throws InvalidArgument.
#pragma once

#include <functional>

#include "../run/run.hpp"

namespace command {

/// Connects the processes that a launcher has started, and calls body(run) in each. `run` does the work on
/// all ranks and gives rank 0 the result and the whole trace, which must outlive the call. An exception ends
/// all processes.
void in_processes(const Options& options, const std::function<void(const Run&)>& body);

}  // namespace command
