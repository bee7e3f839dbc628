// Memory on the device: buffers, their reuse, uploads and downloads.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <vector>

#include "weft/backend/cuda.cuh"

using weft::Index;
using weft::Tensor;
using weft::View;
using weft::cuda::Buffer;
using weft::cuda::Queue;

namespace {

Tensor counting(weft::Shape shape) {
  Tensor out(std::move(shape));
  std::iota(out.data.begin(), out.data.end(), 1.0f);
  return out;
}

template <class T>
T* data_of(const Buffer<T>& buffer) {
  return buffer.view(std::array{buffer.size()}).data;
}

std::size_t free_memory() {
  std::size_t free = 0, all = 0;
  weft::kernels::check(cudaMemGetInfo(&free, &all), "asking for memory");
  return free;
}

}  // namespace

TEST_CASE("Buffer: reuses the memory of an earlier one of its size, and is zeroed") {
  Queue queue;
  const float* place = nullptr;
  {
    const Buffer<float> first(queue, 1000);
    place = data_of(first);
    fill(queue, 7, first.view(std::array<Index, 1>{1000}));
  }
  const weft::QueueCounts before = queue.counts();
  const Buffer<float> second(queue, 1000);
  CHECK(data_of(second) == place);
  CHECK(queue.counts() == before);
  const Buffer<float> third(queue, 1000), fourth(queue, 1001);
  CHECK(data_of(third) != place);
  CHECK((queue.counts() - before).allocations == 2);
  for (const float number : download(queue, second.view(std::array<Index, 2>{1, 1000})).data)
    REQUIRE(number == 0);
}

TEST_CASE("Buffer: may outlive its queue") {
  Buffer<float> buffer;
  {
    Queue queue;
    buffer = {queue, 100};
    fill(queue, 3, buffer.view(std::array<Index, 1>{100}));
    queue.synchronize();
  }
  Queue queue;
  CHECK(download(queue, buffer.view(std::array<Index, 2>{1, 100})).data == std::vector<float>(100, 3));
}

TEST_CASE("Queue: keeps unused memory until it is trimmed, or the device has none left") {
  Queue queue;
  constexpr Index size = Index{1} << 30;
  const std::size_t before = free_memory();
  { const Buffer<char> buffer(queue, size); }
  CHECK(free_memory() < before - size / 2);
  queue.trim();
  CHECK(free_memory() > before - size / 2);

  const auto most = static_cast<Index>(before / 10 * 6);
  { const Buffer<char> buffer(queue, most); }
  const Buffer<char> other(queue, most - 1);
  CHECK(queue.counts().allocations == 3);
}

TEST_CASE_TEMPLATE("upload and download: a tensor to a view of any strides and back", T, float,
                   __nv_bfloat16) {
  Queue queue;
  const Tensor tensor = counting({3, 2, 5});
  const Buffer<T> buffer(queue, 3 * 4 * 8);
  const View<T, 3> all = buffer.view(std::array<Index, 3>{3, 4, 8});
  const View<T, 3> part = all.template slice<1>({1, 3}).template slice<2>({2, 7});
  upload(queue, tensor, part);
  CHECK(download(queue, part).data == tensor.data);
  const Tensor whole = download(queue, all);
  CHECK(std::ranges::count(whole.data, 0.0f) == whole.size() - tensor.size());
  const View<T, 1> row = buffer.view(std::array<Index, 1>{30});
  upload(queue, tensor, row);
  CHECK(download(queue, buffer.view(std::array<Index, 2>{6, 16}).template slice<0>({0, 1})).data ==
        std::vector<float>(tensor.data.begin(), tensor.data.begin() + 16));
}

TEST_CASE("upload: many in a row, more than are in flight at once, each with the content it was sent with") {
  Queue queue;
  constexpr Index size = 1 << 20, count = 12;  // 48 MiB
  const Buffer<float> buffer(queue, size * count);
  const View<float, 2> rows = buffer.view(std::array{count, size});
  Tensor tensor({size});
  for (Index i = 0; i < count; ++i) {
    std::ranges::fill(tensor.data, static_cast<float>(i));
    upload(queue, tensor, rows[i]);
  }
  const Tensor large = counting({6, size});
  const Buffer<float> other(queue, large.size());
  upload(queue, large, other.view(std::array{Index{6}, size}));
  const Tensor found = download(queue, rows);
  for (Index i = 0; i < count; ++i) {
    CAPTURE(i);
    CHECK(std::ranges::count(found.at(i).data, static_cast<float>(i)) == size);
  }
  CHECK(download(queue, other.view(std::array{Index{6}, size})).data == large.data);
}
