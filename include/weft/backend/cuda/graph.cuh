// Work that was queued once and is launched as a whole, any number of times.
#pragma once

#include <cuda_runtime.h>

#include <utility>

#include "weft/check.cuh"

namespace weft::cuda {

using kernels::check;

class Graph {
 public:
  Graph() = default;
  Graph(Graph&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}
  Graph& operator=(Graph&& other) noexcept {
    std::swap(graph_, other.graph_);
    return *this;
  }
  ~Graph() {
    if (graph_) cudaGraphExecDestroy(graph_);
  }

  /// What `queue_work` queues on the stream, without running it.
  template <class Work>
  static Graph capture(cudaStream_t stream, const Work& queue_work) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "Recording work");
    cudaGraph_t captured = nullptr;
    try {
      queue_work();
    } catch (...) {
      cudaStreamEndCapture(stream, &captured);
      if (captured) cudaGraphDestroy(captured);
      throw;
    }
    check(cudaStreamEndCapture(stream, &captured), "Recording work");
    Graph out;
    const cudaError_t status = cudaGraphInstantiate(&out.graph_, captured, 0);
    cudaGraphDestroy(captured);
    check(status, "Preparing recorded work");
    return out;
  }

  void launch(cudaStream_t stream) const {
    check(cudaGraphLaunch(graph_, stream), "Launching recorded work");
  }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace weft::cuda
