// Ranks as processes with a GPU each, which torchrun, mpirun, srun or scripts/on-gpus starts. A sum of
// numbers.
#include <cstdio>
#include <weft/comm/nccl.cuh>

int main() try {
  const auto environment = weft::launch_environment();
  if (!environment)
    weft::reject("no launcher has started this; torchrun, mpirun, srun and scripts/on-gpus do");
  return weft::nccl::launch(*environment, [](weft::nccl::World& world) {
    weft::cuda::Queue queue;
    const weft::cuda::Buffer<double> memory(queue, 2);
    const weft::View<double, 1> sums = memory.view(std::array<weft::Index, 1>{2});
    double numbers[] = {1.0, 10.0 * world.rank()};
    queue.send(numbers, sums.data, sizeof numbers);

    world.all_reduce(queue, sums);

    queue.fetch(sums.data, numbers, sizeof numbers);
    std::printf("Rank %d has %g and %g.\n", world.rank(), numbers[0], numbers[1]);
    const int ranks = world.size();
    return numbers[0] == ranks && numbers[1] == 10 * ranks * (ranks - 1) / 2 ? 0 : 1;
  });
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
