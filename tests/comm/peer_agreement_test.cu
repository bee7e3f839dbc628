// What ranks on CUDA devices were asked for, compared.
#include "agreement.hpp"

#include "weft/backend/cuda.cuh"
#include "weft/comm/peer/launch.cuh"

TEST_CASE(
    "Ranks on devices learn together that one was asked for something else, in less than a millisecond") {
  for (const int ranks : {1, 2, 3, 4, 8})
    weft::peer::launch(ranks, [ranks](weft::peer::World& world) {
      const double seconds = check_agreement<weft::Cuda<float>>(world);
      if (world.rank() != 0) return;
      MESSAGE(ranks << " ranks compare in " << 1e6 * seconds << " us");
      if (ranks <= weft::peer::device_count()) CHECK(seconds < 1e-3);
    });
}
