// Ranks as threads, one a GPU of this process. Each stores into the memory of the next, from a kernel of its
// own.
#include <cstdio>
#include <weft/comm/peer/launch.cuh>

__global__ void store(int number, int* theirs) { *theirs = number; }

int main() try {
  const bool is_right = weft::peer::launch(3, [](weft::peer::World& world) {
    weft::cuda::Queue queue;
    const weft::cuda::Buffer<int> memory(queue, 1);
    int* const mine = memory.view(std::array<weft::Index, 1>{1}).data;

    const auto all = world.exchange_pointers(queue, {mine});  // all[rank]: those of that rank
    world.barrier(queue);                                     // everyone's memory is there, and zeroed
    const int next = (world.rank() + 1) % world.size();
    store<<<1, 1, 0, queue.stream()>>>(10 * world.rank(), static_cast<int*>(all[next].front()));
    world.pushed(queue, {.calls = 1, .bytes = sizeof(int)});  // what was stored is there; counts it

    int number = -1;
    queue.fetch(mine, &number, sizeof number);
    std::printf("Rank %d, on GPU %d, has %d.\n", world.rank(), world.device(), number);
    return number == 10 * ((world.rank() + 2) % 3);
  });
  return is_right ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
