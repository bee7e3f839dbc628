// StepCache: steps in which little changes leave blocks out.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "weft/policy/local.hpp"

namespace weft::inline v0_1 {

/// In a step that Job::reuse lists, the tokens x become x + r instead of what the blocks that are left out
/// would make of them, where r is what these added in the last full step. A stage of a pipeline does so for
/// its own blocks: what all stages add is what one would.
///
/// TeaCache: Liu et al., "Timestep Embedding Tells: It's Time to Cache for Video Diffusion Model", 2024.
/// Skip-Cache, which keeps the blocks at both ends: Chen et al., "Accelerating Vision Diffusion Transformers
/// with Skip Branches", 2024.
template <class Inner = Local>
struct StepCache : PolicyAtDepth<depth_between(Axis::cfg, Axis::pipe), Inner> {
  using Replaces = Hooks<"prepare", "release", "spared", "reuse", "keep">;
  static constexpr bool reuses_steps = true;

  template <class Backend, class Communicator>
  class On : public Inner::template On<Backend, Communicator> {
    using Base = typename Inner::template On<Backend, Communicator>;

   public:
    using Base::Base;
    using typename Base::Element;
    using typename Base::Queue;

    void prepare(Queue& queue, const Job& job) {
      Base::prepare(queue, job);
      residuals_.clear();
      if (job.reuse.empty()) return;
      for (const Range& blocks : Base::blocks(this->mesh(), this->rank(), job.model))
        if (!common(blocks, job.reuse.blocks(job.model)).empty())
          residuals_.push_back({blocks, {queue, this->tokens() * job.images * job.model.width}});
    }

    void release() {
      Base::release();
      residuals_.clear();
    }

    Range spared(const Task& task) const {
      const Job& job = this->job();
      return job.reuse.empty() ? Base::spared(task) : common(task.blocks, job.reuse.blocks(job.model));
    }

    bool reuse(Queue& queue, const Task& task, const View<const Element, 3>& x, const View<Element, 3>& out) {
      const View<Element, 3> residual = residual_of(task);
      if (!this->job().reuse.contains(task.unit.step)) {
        copy(queue, x, residual);
        return false;
      }
      add(queue, rows_of(x), rows_of(residual), rows_of(out));
      return true;
    }

    void keep(Queue& queue, const Task& task, const View<const Element, 3>& out) {
      const View<Element, 2> residual = rows_of(residual_of(task));
      subtract(queue, rows_of(out), residual, residual);
    }

   private:
    /// What blocks have added to this rank's tokens; their input, while they run.
    struct Residual {
      Range blocks;  // of a task
      typename Backend::template Buffer<Element> memory;
    };

    /// Returns the residual of the task's unit: (rows, images, width).
    View<Element, 3> residual_of(const Task& task) const {
      const Job& job = this->job();
      const auto& memory = std::ranges::find(residuals_, task.blocks, &Residual::blocks)->memory;
      return memory.view(std::array{this->tokens(), job.images, job.model.width})
          .template slice<0>(this->rows().rows(task.unit.patches));
    }

    std::vector<Residual> residuals_;
  };
};

}  // namespace weft::inline v0_1
