// PipeFusion: stages of the pipeline hold slices of the blocks, and patches of the image pass through them.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/policy/local.hpp"

namespace weft::inline v0_1 {

/// After the warm-up a patch attends to its own fresh keys and to the newest that its stage has of other
/// patches: images differ from those of one device by that staleness alone. pipeline.hpp has the schedule.
template <class Inner = Local>
struct PipeFusion : AxisPolicy<Axis::pipe, Inner> {
  using Replaces = Hooks<"prepare", "release", "blocks", "tasks", "windows", "post_input", "wait_input",
                         "send_output", "finish">;

  template <class Backend, class Communicator>
  class On : public Inner::template On<Backend, Communicator> {
    using Base = typename Inner::template On<Backend, Communicator>;

   public:
    using typename Base::Queue;

    On(const auto& world, const Mesh& mesh)
        : Base(world, mesh), stages_(world.split("pipe", mesh.group(Axis::pipe, world.rank()))) {}

    /// Reserves receive buffers for activations or, on the first stage, predictions.
    void prepare(Queue& queue, const Job& job) {
      Base::prepare(queue, job);
      std::vector<int> sources;
      for (const Task& task : tasks(job))
        if (task.source >= 0 && std::ranges::find(sources, task.source) == sources.end())
          sources.push_back(task.source);
      const Index bytes = std::max(job.model.width * static_cast<Index>(sizeof(typename Base::Element)),
                                   job.predicted_features * static_cast<Index>(sizeof(float)));
      if (stages_.size() > 1) reserve(stages_, sources, this->tokens() * job.images * bytes);
    }

    /// Cancels what an aborted request has posted.
    void release() {
      Base::release();
      inputs_.clear();
      outputs_.clear();
    }

    static std::vector<Range> blocks(const Mesh& mesh, int rank, const DitShape& model) {
      return pipeline_blocks(model, mesh.pipe, mesh.coordinate(Axis::pipe, rank));
    }

    std::vector<Task> tasks(const Job& job) const {
      return pipeline_tasks(job, stages_.size(), stages_.rank());
    }
    std::vector<Window> windows(const Job& job) const { return pipeline_windows(job, stages_.size()); }

    /// Posts the receive of a task's input. Called one task ahead, in the order of the tasks, so that x is
    /// filled while another task computes. x may be any memory of the unit's own tokens: what was sent from
    /// there was received before.
    void post_input(Queue& queue, const Task& task, const StridedBytes& x) {
      Base::post_input(queue, task, x);
      if (task.source >= 0) inputs_.push_back(stages_.receive(queue, x, task.source));
    }

    void wait_input(Queue& queue, const Task& task) {
      Base::wait_input(queue, task);
      if (task.source < 0) return;
      stages_.wait(queue, inputs_.front());
      inputs_.pop_front();
    }

    void send_output(Queue& queue, const Task& task, const StridedBytes& x) {
      Base::send_output(queue, task, x);
      if (task.destination < 0) return;
      outputs_.push_back(stages_.send(queue, x, task.destination));
    }

    void finish(Queue& queue) {
      Base::finish(queue);
      for (auto& input : inputs_) stages_.wait(queue, input);
      for (auto& output : outputs_) stages_.wait(queue, output);
      outputs_.clear();
    }

   private:
    Communicator stages_;
    std::deque<typename Communicator::Event> inputs_;
    std::vector<typename Communicator::Event> outputs_;
  };
};

}  // namespace weft::inline v0_1
