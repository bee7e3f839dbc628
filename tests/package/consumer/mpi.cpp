#include <weft/comm/mpi.hpp>

int main() {
  int size = 0;
  weft::mpi::launch([&size](weft::mpi::World& world) { size = world.size(); });
  return size == 1 ? 0 : 1;
}
