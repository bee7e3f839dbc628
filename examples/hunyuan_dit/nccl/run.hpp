// The ranks of CUDA devices as processes. Without NCCL absent.cpp stands in, and refuses.
#pragma once

#include <functional>

#include "../run.hpp"

namespace command {

/// As in_processes of mpi/run.hpp, with a device for each process.
void in_processes_on_cuda(const Options& options, const std::function<void(const Run&)>& body);

}  // namespace command
