// PipeFusion on the trained model.
#include "../engine/staleness.hpp"
#include "../engine/worlds.hpp"

TEST_CASE("PipeFusion stays close to one device, whatever the stages, and closer with more warm-up") {
  const HostShapes shapes;
  const auto request = staleness_request(shapes);
  check_staleness(
      [&shapes, &request](const weft::Mesh& mesh) { return generate(shapes.model, mesh, request); });
}
