// Ranks as processes that mpirun starts, on any number of hosts. An all-to-all: a rank sends each other one a
// number.
#include <iostream>
#include <weft/comm/mpi.hpp>

int main() {
  return weft::mpi::launch([](weft::mpi::World& world) {
    weft::host::Queue queue;
    std::vector<int> out;
    for (int peer = 0; peer < world.size(); ++peer) out.push_back(10 * world.rank() + peer);
    std::vector<int> in = out;  // a rank's own number stays
    std::vector<weft::Addressed> sends, receives;
    for (const int peer : weft::others(world)) {
      sends.push_back({peer, weft::View<int, 1>(&out[static_cast<std::size_t>(peer)], {1})});
      receives.push_back({peer, weft::View<int, 1>(&in[static_cast<std::size_t>(peer)], {1})});
    }

    auto event = world.all_to_all(queue, sends, receives);
    world.wait(queue, event);

    std::string line = weft::sentence("Rank ", world.rank(), " has");
    bool is_right = true;
    for (int peer = 0; peer < world.size(); ++peer) {
      const int number = in[static_cast<std::size_t>(peer)];
      line += weft::sentence(' ', number);
      is_right = is_right && number == 10 * peer + world.rank();
    }
    std::cout << line + '\n';
    return is_right ? 0 : 1;
  });
}
