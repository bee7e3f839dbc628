// Graph: work that was queued once and is launched as a whole, any number of times.
#pragma once

#include <cuda_runtime.h>

#include <utility>

#include "weft/check.cuh"

namespace weft::inline v0_1::cuda {

using kernels::check;

/// An executable CUDA graph. It refers to memory that its work uses, which must stay where it is.
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

  /// Begins a recording: what is queued on the stream next is recorded and does not run.
  static void begin(cudaStream_t stream) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "recording work");
  }
  /// Drops a recording whose work could not be queued.
  static void abandon(cudaStream_t stream) {
    cudaGraph_t captured = nullptr;
    cudaStreamEndCapture(stream, &captured);
    cudaGetLastError();  // that the recording is not whole is known
    if (captured) cudaGraphDestroy(captured);
  }
  /// Ends a recording; returns its graph.
  [[nodiscard]] static Graph end(cudaStream_t stream) {
    cudaGraph_t captured = nullptr;
    check(cudaStreamEndCapture(stream, &captured), "recording work");
    Graph out;
    const cudaError_t status = cudaGraphInstantiate(&out.graph_, captured, 0);
    cudaGraphDestroy(captured);
    check(status, "preparing recorded work");
    return out;
  }

  /// Returns the graph of what `queue_work` queues on the stream.
  template <class Work>
  [[nodiscard]] static Graph capture(cudaStream_t stream, const Work& queue_work) {
    begin(stream);
    try {
      queue_work();
    } catch (...) {
      abandon(stream);
      throw;
    }
    return end(stream);
  }

  void launch(cudaStream_t stream) const {
    check(cudaGraphLaunch(graph_, stream), "launching recorded work");
  }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace weft::inline v0_1::cuda
