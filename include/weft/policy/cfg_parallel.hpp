// CfgParallel: ranks evaluate different branches of guidance.
#pragma once

#include <algorithm>
#include <vector>

#include "weft/comm/communicator.hpp"
#include "weft/comm/strided_bytes.hpp"
#include "weft/policy/local.hpp"

namespace weft::inline v0_1 {

template <class Inner = Local>
struct CfgParallel : AxisPolicy<Axis::cfg, Inner> {
  using Replaces = Hooks<"prepare", "branches", "share_branches">;

  template <class Backend, class Communicator>
  class On : public Inner::template On<Backend, Communicator> {
    using Base = typename Inner::template On<Backend, Communicator>;

   public:
    using typename Base::Queue;

    On(const auto& world, const Mesh& mesh)
        : Base(world, mesh), group_(world.split("cfg", mesh.group(Axis::cfg, world.rank()))) {}

    void prepare(Queue& queue, const Job& job) {
      Base::prepare(queue, job);
      if (group_.size() == 1) return;
      reserve(group_, others(group_),
              this->tokens() * std::max(job.images, job.most_images) * job.latent_features *
                  static_cast<Index>(sizeof(float)));
    }

    static Range branches(const Mesh& mesh, int rank, Index count) {
      return split(count, mesh.cfg, mesh.coordinate(Axis::cfg, rank));
    }

    void share_branches(Queue& queue, const View<float, 3>& predictions, Index prompts) {
      Base::share_branches(queue, predictions, prompts);
      if (group_.size() == 1) return;
      const Index count = predictions.extent[1] / prompts;
      std::vector<StridedBytes> pieces;
      for (int member = 0; member < group_.size(); ++member) {
        const Range range = split(count, group_.size(), member);
        pieces.emplace_back(predictions.template slice<1>({range.begin * prompts, range.end * prompts}));
      }
      auto event = group_.all_gather(queue, pieces);
      group_.wait(queue, event);
    }

   private:
    Communicator group_;
  };
};

}  // namespace weft::inline v0_1
