// The host's ranks as processes. Without MPI absent.cpp stands in, and rejects.
#pragma once

#include <functional>

#include "../run.hpp"

namespace command {

/// Joins the processes that a launcher has started, and calls body(run) in each: `run` works on all of them
/// and gives rank 0 the result and the whole trace, which must outlive the call. An exception ends all
/// of them.
void in_processes(const Options& options, const std::function<void(const Run&)>& body);

}  // namespace command
