// Ranks as threads of one process. An all-gather: every rank gets what each has, and one may have more than
// another.
#include <iostream>
#include <weft/comm/launch.hpp>

int main() {
  const auto gathered = weft::launch(3, [](weft::threads::World& world) {
    weft::host::Queue queue;
    std::vector<std::vector<int>> parts;  // rank 0 has one number, rank 1 two and rank 2 three
    for (int rank = 0; rank < world.size(); ++rank)
      parts.emplace_back(rank + 1, rank == world.rank() ? 10 * rank : -1);
    std::vector<weft::StridedBytes> pieces;
    for (std::vector<int>& part : parts)
      pieces.emplace_back(weft::View<int, 1>(part.data(), {static_cast<weft::Index>(part.size())}));

    auto event = world.all_gather(queue, pieces);
    world.wait(queue, event);

    std::string line = weft::sentence("Rank ", world.rank(), " has");
    for (const std::vector<int>& part : parts)
      for (const int number : part) line += weft::sentence(' ', number);
    std::cout << line + '\n';
    return parts;
  });
  return gathered == std::vector<std::vector<int>>{{0}, {10, 10}, {20, 20, 20}} ? 0 : 1;
}
