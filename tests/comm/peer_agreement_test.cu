// Ranks on CUDA devices compare the requests that they were given.
#include "agreement.hpp"

#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"

TEST_CASE("peer: all ranks detect that one was given another request, in less than a millisecond") {
  for (const int ranks : {1, 2, 3, 4, 8})
    weft::peer::launch(ranks, [ranks](weft::peer::World& world) {
      const double seconds = check_agreement<weft::Cuda<float>>(world);
      if (world.rank() != 0) return;
      MESSAGE(ranks << " ranks compare in " << 1e6 * seconds << " us");
      if (ranks <= weft::peer::device_count()) CHECK(seconds < 1e-3);
    });
}
