// The collectives of ranks that are processes with a GPU. Every case is for any number of ranks.
#include "nccl_main.cuh"

#include <numeric>
#include <vector>

#include "agreement.hpp"
#include "weft/backend/cuda.cuh"
#include "weft/backend/cuda/host_copy.cuh"
#include "weft/comm/gather_trace.hpp"
#include "weft/comm/nccl/host_messages.cuh"
#include "weft/comm/world.hpp"

using weft::Addressed;
using weft::Index;
using weft::StridedBytes;
using weft::View;
using weft::cuda::check;
using weft::cuda::Queue;
using weft::nccl::World;
using Numbers = std::vector<int>;

static_assert(weft::Communicator<weft::nccl::Communicator>);
static_assert(weft::World<World>);
static_assert(weft::SendReceive<weft::nccl::HostMessages>);

namespace {

/// Numbers on the device.
template <class T>
class Device {
 public:
  Device(Queue& queue, const std::vector<T>& numbers)
      : queue_(queue), size_(numbers.size()), buffer_(queue, static_cast<Index>(numbers.size())) {
    set(numbers);
  }

  void set(const std::vector<T>& numbers) {
    queue_.synchronize();
    weft::cuda::copy_from_host(view().data, numbers.data(), size_ * sizeof(T));
  }
  std::vector<T> get() {
    queue_.synchronize();
    std::vector<T> out(size_);
    check(cudaMemcpy(out.data(), view().data, size_ * sizeof(T), cudaMemcpyDeviceToHost), "Copying");
    return out;
  }
  View<T, 1> view() { return buffer_.view(std::array{static_cast<Index>(size_)}); }

 private:
  Queue& queue_;
  std::size_t size_;
  weft::cuda::Buffer<T> buffer_;
};

Numbers message(int from, int to, int size) {
  Numbers out;
  for (int i = 0; i < size; ++i) out.push_back(1000 * from + 100 * to + i);
  return out;
}

std::vector<int> everybody() {
  std::vector<int> out(static_cast<std::size_t>(all_processes->size()));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

/// Returns whether NCCL is made to take each process for a host of its own, since they share a GPU.
bool shares_gpu() { return std::getenv("NCCL_HOSTID") != nullptr; }

}  // namespace

TEST_CASE("nccl: ranks of one host that have a GPU each are a team") {
  auto group = all_processes->split("group", everybody());
  CHECK(group.pushes() == (group.size() > 1 && !shares_gpu()));
}

TEST_CASE("nccl: an all-to-all of uneven counts, some of them zero") {
  Queue queue;
  auto group = all_processes->split("group", everybody());
  SUBCASE("by NCCL's calls") {}
  SUBCASE("by copies") { group.reserve(weft::others(*all_processes), 12000); }
  const int ranks = group.size(), self = group.rank();
  const auto size = [](int from, int to) { return (from + 2 * to) % 4 * 1000; };
  std::vector<Device<int>> out, in;
  for (int peer = 0; peer < ranks; ++peer) {
    out.emplace_back(queue, message(self, peer, size(self, peer)));
    in.emplace_back(queue, Numbers(static_cast<std::size_t>(size(peer, self))));
  }
  std::vector<Addressed> sends, receives;
  for (int peer = 0; peer < ranks; ++peer) {
    if (peer == self) continue;
    sends.push_back({peer, out[static_cast<std::size_t>(peer)].view()});
    receives.push_back({peer, in[static_cast<std::size_t>(peer)].view()});
  }
  auto event = group.all_to_all(queue, sends, receives);
  group.wait(queue, event);
  for (int peer = 0; peer < ranks; ++peer)
    if (peer != self)
      CHECK(in[static_cast<std::size_t>(peer)].get() == message(peer, self, size(peer, self)));
}

TEST_CASE("nccl: an all-to-all of columns, in rows of any width") {
  Queue queue;
  auto group = all_processes->split("group", everybody());
  SUBCASE("by NCCL's calls") {}
  SUBCASE("by copies") { group.reserve(weft::others(*all_processes), 160); }
  const int ranks = group.size(), self = group.rank();
  const Index rows = 5;
  for (const Index width : {1, 4, 6, 8}) {  // of the columns for each peer, in numbers of 4 bytes
    const Index columns = width * ranks;
    Numbers numbers(static_cast<std::size_t>(rows * columns));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = 10000 * self + static_cast<int>(i);
    Device<int> out(queue, numbers), in(queue, Numbers(numbers.size(), -1));
    const auto columns_of = [&](Device<int>& device, int peer) {
      return View<int, 2>(device.view().data, {rows, columns}).slice<1>({peer * width, (peer + 1) * width});
    };
    std::vector<Addressed> sends, receives;
    for (int peer = 0; peer < ranks; ++peer) {
      if (peer == self) continue;
      sends.push_back({peer, columns_of(out, peer)});
      receives.push_back({peer, columns_of(in, peer)});
    }
    auto event = group.all_to_all(queue, sends, receives);
    group.wait(queue, event);
    Numbers expected(numbers.size(), -1);
    for (Index row = 0; row < rows; ++row)
      for (Index column = 0; column < columns; ++column) {
        const auto from = static_cast<int>(column / width);
        if (from == self) continue;
        expected[static_cast<std::size_t>(row * columns + column)] =
            10000 * from + static_cast<int>(row * columns + self * width + column % width);
      }
    CAPTURE(width);
    CHECK(in.get() == expected);
  }
}

TEST_CASE("nccl: an all-gather of uneven counts") {
  Queue queue;
  auto group = all_processes->split("group", everybody());
  SUBCASE("by NCCL's calls") {}
  SUBCASE("by copies") { group.reserve(weft::others(*all_processes), 8); }
  std::vector<Device<int>> parts;
  std::vector<StridedBytes> pieces;
  for (int member = 0; member < group.size(); ++member)
    parts.emplace_back(queue, member == group.rank() ? message(member, 0, member % 3)
                                                     : Numbers(static_cast<std::size_t>(member % 3)));
  for (Device<int>& part : parts) pieces.emplace_back(part.view());
  auto event = group.all_gather(queue, pieces);
  group.wait(queue, event);
  for (int member = 0; member < group.size(); ++member)
    CHECK(parts[static_cast<std::size_t>(member)].get() == message(member, 0, member % 3));
}

TEST_CASE("nccl: all get the same bits of a sum, those in the order of the ranks") {
  Queue queue;
  const auto term = [](int rank, Index i) {
    return 1.0 / (3 + rank) * (i % 2 ? 1e16 : 1e-16) * (rank % 2 ? -1 : 1);
  };
  std::vector<double> expected(5), values;
  for (Index i = 0; i < 5; ++i)
    for (int rank = 0; rank < all_processes->size(); ++rank)
      expected[static_cast<std::size_t>(i)] += term(rank, i);
  for (Index i = 0; i < 5; ++i) values.push_back(term(all_processes->rank(), i));
  Device<double> sums(queue, values);
  all_processes->all_reduce(queue, sums.view());
  CHECK(sums.get() == expected);
  all_processes->all_reduce(queue, View<double, 1>());
}

TEST_CASE("nccl: receives that neighbours post ahead do not block sends, and messages arrive in order") {
  Queue queue;
  auto stages = all_processes->split("pipe", everybody());
  const int ranks = stages.size(), self = stages.rank();
  if (ranks == 1) return;
  stages.reserve({(self + 1) % ranks, (self + ranks - 1) % ranks}, 48000, 4);
  for (const int distance : {1, ranks - 1}) {  // from the rank before, then from the rank after
    const int to = (self + distance) % ranks, from = (self + ranks - distance) % ranks;
    constexpr int count = 4;
    std::vector<Device<int>> out, in;
    for (int size = 1; size <= count; ++size) {
      out.emplace_back(queue, message(self, to, 3000 * size));
      in.emplace_back(queue, Numbers(static_cast<std::size_t>(3000 * size)));
    }
    std::vector<weft::nccl::Event> events;
    for (Device<int>& place : in) events.push_back(stages.receive(queue, place.view(), from));
    for (Device<int>& place : out) events.push_back(stages.send(queue, place.view(), to));
    for (weft::nccl::Event& event : events) stages.wait(queue, event);
    for (int size = 1; size <= count; ++size)
      CHECK(in[static_cast<std::size_t>(size - 1)].get() == message(from, self, 3000 * size));
  }
}

TEST_CASE("nccl: splits have ranks of their own, and splits of splits too") {
  const int ranks = all_processes->size(), self = all_processes->rank();
  if (ranks % 4 != 0) return;
  Queue queue;
  const int row = self / 4, column = self % 4;
  std::vector<int> rows, columns;
  for (int i = 0; i < 4; ++i) rows.push_back(4 * row + i);
  for (int i = ranks / 4 - 1; i >= 0; --i) columns.push_back(4 * i + column);
  auto in_row = all_processes->split("row", rows);
  auto pair = in_row.split("pair", {column / 2 * 2, column / 2 * 2 + 1});
  auto in_column = all_processes->split("column", columns);
  CHECK(in_row.size() == 4);
  CHECK(in_row.rank() == column);
  CHECK(pair.rank() == column % 2);
  CHECK(in_column.rank() == ranks / 4 - 1 - row);
  const auto sum = [&](auto& communicator) {
    Device<double> value(queue, {static_cast<double>(self)});
    communicator.all_reduce(queue, value.view());
    return value.get().front();
  };
  CHECK(sum(in_row) == 16 * row + 6);
  CHECK(sum(pair) == 8 * row + 2 * (column / 2 * 2) + 1);
  double expected = 0;
  for (int member : columns) expected += member;
  CHECK(sum(in_column) == expected);
}

TEST_CASE("nccl: operations can be recorded, and run again in every replay") {
  Queue queue;
  auto group = all_processes->split("group", everybody());
  auto stages = all_processes->split("pipe", everybody());
  const int ranks = group.size(), self = group.rank(), next = (self + 1) % ranks,
            previous = (self + ranks - 1) % ranks;
  if (ranks == 1) return;
  stages.reserve({previous}, 16000);
  SUBCASE("by NCCL's calls") {}
  SUBCASE("by copies") { group.reserve({previous}, 16000); }
  Device<int> out(queue, Numbers(4000)), in(queue, Numbers(4000)), passed(queue, Numbers(4000));
  Device<double> sum(queue, {0.0});
  const auto half = [](Device<int>& device, Index which) {
    return View<int, 2>(device.view().data, {1000, 4}).slice<1>({2 * which, 2 * which + 2});
  };
  const auto graph = weft::cuda::Graph::capture(queue.stream(), [&] {
    auto coming = stages.receive(queue, passed.view(), previous);
    const std::vector<Addressed> sends{{next, half(out, 0)}, {next, half(out, 1)}},
        receives{{previous, half(in, 1)}, {previous, half(in, 0)}};
    auto event = group.all_to_all(queue, sends, receives);
    group.wait(queue, event);
    auto going = stages.send(queue, in.view(), next);
    stages.wait(queue, coming);
    stages.wait(queue, going);
    group.all_reduce(queue, sum.view());
  });
  for (int time = 0; time < 3; ++time) {
    out.set(Numbers(4000, 100 * time + self));
    sum.set({static_cast<double>(time + self)});
    graph.launch(queue.stream());
    CHECK(in.get() == Numbers(4000, 100 * time + previous));
    CHECK(passed.get() == Numbers(4000, 100 * time + (self + 2 * ranks - 2) % ranks));
    CHECK(sum.get().front() == ranks * time + ranks * (ranks - 1) / 2);
  }
}

TEST_CASE("nccl: a team's members store into each other's memory, also in replays") {
  Queue queue(nullptr, nullptr, 0, all_processes->heap());
  auto group = all_processes->split("pushed", everybody());
  if (!group.pushes()) return;
  const int ranks = group.size(), self = group.rank();
  const std::size_t part = 5000;
  weft::cuda::Buffer<int> unused, memory;
  queue.take_together([&] {
    unused = {queue, 100 * (1 + self)};
    memory = {queue, static_cast<Index>(part) * ranks};
  });
  Device<int> out(queue, Numbers(part));
  int* const own = memory.view(std::array{memory.size()}).data;
  const auto push = [&] {
    const auto all = group.exchange_pointers(queue, {own});
    group.barrier(queue);
    for (int member = 0; member < ranks; ++member)
      check(cudaMemcpyAsync(static_cast<int*>(all[static_cast<std::size_t>(member)].front()) + self * part,
                            out.view().data, part * sizeof(int), cudaMemcpyDefault, queue.stream()),
            "Storing");
    group.pushed(queue, {});
  };
  const auto arrive = [&](int time) {
    queue.synchronize();
    Numbers found(part * static_cast<std::size_t>(ranks));
    check(cudaMemcpy(found.data(), own, found.size() * sizeof(int), cudaMemcpyDeviceToHost), "Copying");
    Numbers expected;
    for (int member = 0; member < ranks; ++member) expected.insert(expected.end(), part, 100 * time + member);
    CHECK(found == expected);
  };
  for (int time = 0; time < 3; ++time) {
    out.set(Numbers(part, 100 * time + self));
    push();
    arrive(time);
  }
  queue.synchronize();
  const auto graph = weft::cuda::Graph::capture(queue.stream(), push);
  for (int time = 3; time < 6; ++time) {
    out.set(Numbers(part, 100 * time + self));
    graph.launch(queue.stream());
    arrive(time);
  }
}

TEST_CASE("nccl: messages without a reserved buffer are rejected, and so is memory outside of the heap") {
  Queue queue(nullptr, nullptr, 0, all_processes->heap());
  auto group = all_processes->split("small", everybody());
  if (!group.pushes()) return;
  group.reserve(weft::others(*all_processes), 8);
  Device<int> large(queue, Numbers(500));
  const int peer = weft::others(*all_processes).front();
  CHECK_THROWS_WITH_AS(static_cast<void>(group.send(queue, large.view(), peer)),
                       doctest::Contains("was not reserved"), std::logic_error);
  CHECK_THROWS_WITH_AS(static_cast<void>(group.exchange_pointers(queue, {large.view().data})),
                       doctest::Contains("take_together"), std::logic_error);
}

TEST_CASE("nccl: traffic counts what was sent, by name") {
  Queue queue;
  auto group = all_processes->split("counted", everybody());
  const int ranks = group.size();
  Device<int> out(queue, Numbers(5)), in(queue, Numbers(5));
  Device<double> values(queue, std::vector<double>(4));
  std::vector<StridedBytes> pieces(static_cast<std::size_t>(ranks));
  for (int member = 0; member < ranks; ++member)
    pieces[static_cast<std::size_t>(member)] = member == group.rank() ? out.view() : in.view();
  auto event = group.all_gather(queue, pieces);
  group.wait(queue, event);
  group.all_reduce(queue, values.view());
  auto nothing = group.send(queue, StridedBytes(), 0);
  group.wait(queue, nothing);
  queue.synchronize();
  const weft::Traffic sent = ranks == 1 ? weft::Traffic() : group.traffic().at("counted");
  CHECK(sent.calls == 2 * (ranks - 1));
  CHECK(sent.bytes == (ranks - 1) * (20 + 32));
}

TEST_CASE("nccl: all ranks throw if the input of one differs") {
  const double seconds = check_agreement<weft::Cuda<float>>(*all_processes);
  if (all_processes->rank() == 0) MESSAGE("ranks compare in " << 1e6 * seconds << " us");
}

TEST_CASE("nccl: rank 0 gets the trace slices of all ranks") {
  weft::nccl::HostMessages messages(*all_processes);
  weft::Trace trace(all_processes->size());
  const auto now = weft::Lane::Clock::now();
  trace.lane(all_processes->rank())
      .add({weft::sentence("of rank ", all_processes->rank()), "test", now, now});
  weft::gather_trace(messages, trace);
  if (all_processes->rank() != 0) return;
  for (int rank = 0; rank < all_processes->size(); ++rank) {
    REQUIRE(trace.lane(rank).slices().size() == 1);
    CHECK(trace.lane(rank).slices().front().name == weft::sentence("of rank ", rank));
  }
}
