// DataParallel: ranks generate different prompts.
#pragma once

#include "weft/policy/local.hpp"

namespace weft::inline v0_1 {

template <class Inner = Local>
struct DataParallel : AxisPolicy<Axis::data, Inner> {
  using Replaces = Hooks<"prompts">;

  template <class Backend, class Communicator>
  class On : public Inner::template On<Backend, Communicator> {
    using Base = typename Inner::template On<Backend, Communicator>;

   public:
    using Base::Base;

    static Range prompts(const Mesh& mesh, int rank, Index count) {
      return split(count, mesh.data, mesh.coordinate(Axis::data, rank));
    }
  };
};

}  // namespace weft::inline v0_1
