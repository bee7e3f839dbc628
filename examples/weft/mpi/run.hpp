// The command in processes on the host, which MPI connects. Without MPI, absent.cpp throws InvalidArgument.
#pragma once

#include <functional>

#include "../run/stages.hpp"

namespace command {

/// Connects the processes that a launcher has started, and calls body(stages) in each. The trace, if not
/// null, must outlive the call. An exception ends all processes.
void in_processes(const Options& options, weft::Trace* trace, const std::function<void(Stages&)>& body);

}  // namespace command
