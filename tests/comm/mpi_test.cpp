// The collectives of ranks that are processes. mpirun runs this at several numbers of ranks.
#include "mpi_main.hpp"

#include <sys/mman.h>

#include <array>
#include <string>

#include "agreement.hpp"
#include "collectives.hpp"
#include "weft/backend/host.hpp"

using weft::Index;
using weft::StridedBytes;
using weft::View;
using weft::mpi::World;
using Numbers = std::vector<int>;
using Queue = weft::host::Queue;

TEST_CASE("mpi: every collective") {
  collectives::keep_order(*all_processes);
  collectives::exchange_all(*all_processes);
  collectives::gather_all(*all_processes);
  collectives::reduce_all(*all_processes);
}

TEST_CASE("mpi: all ranks throw if the input of one differs") { check_agreement<weft::Host>(*all_processes); }

TEST_CASE("mpi: a message between pieces of different strides") {
  on_processes(2, collectives::send_strided<World>);
}

TEST_CASE("mpi: splits have ranks of their own, and splits of splits too") {
  on_processes(8, collectives::split_twice<World>);
}

TEST_CASE("mpi: communicators of the same ranks keep their messages apart, whatever their names") {
  on_processes(2, [](World& world) {
    collectives::keep_apart(world, "one", "two");
    collectives::keep_apart(world, "same", "same");
  });
}

TEST_CASE("mpi: a rank that is not in the group is an error") {
  CHECK_THROWS_WITH_AS((void)all_processes->split("none", {}),
                       "a rank can only split off a group that it is in", std::logic_error);
}

TEST_CASE("mpi: thousands of groups can be made and destroyed") {
  on_processes(2, [](World& world) {
    Queue queue;
    double one = 1;
    for (int i = 0; i < 3000; ++i) {
      auto group = world.split("group", {0, 1});
      if (i % 500 == 0) group.all_reduce(queue, View<double, 1>(&one, {1}));
    }
    CHECK(one == 64);
  });
}

TEST_CASE("mpi: traffic counts what was sent, by name") {
  on_processes(3, collectives::count_traffic<World>);
}

TEST_CASE("mpi: a dropped event cancels its receive") { on_processes(2, collectives::drop_receive<World>); }

TEST_CASE("mpi: a message and a receive of different sizes are an error of the receiver") {
  on_processes(2, [](World& world) {
    Queue queue;
    for (const int wanted : {3, 1}) {
      Numbers numbers(3);
      auto event = world.rank() == 0 ? world.send(queue, View<int, 1>(numbers.data(), {2}), 1)
                                     : world.receive(queue, View<int, 1>(numbers.data(), {wanted}), 0);
      if (world.rank() == 0) {
        world.wait(queue, event);
      } else {
        const std::string sizes =
            wanted == 3 ? "has 12 bytes on one side and 8" : "has 4 bytes on one side and more";
        CHECK_THROWS_WITH_AS(world.wait(queue, event),
                             ("a message of world from rank 0 to rank 1 " + sizes + " on the other").c_str(),
                             std::logic_error);
      }
    }
  });
}

TEST_CASE("mpi: sending and waiting are slices of the trace") {
  on_processes(2, [](World& world) {
    weft::Lane lane;
    Queue queue(1, &lane);
    Numbers numbers(3);
    auto event = world.rank() == 0 ? world.send(queue, collectives::bytes_of(numbers), 1)
                                   : world.receive(queue, collectives::bytes_of(numbers), 0);
    world.wait(queue, event);
    REQUIRE(lane.slices().size() == 2);
    CHECK(lane.slices()[0].category == (world.rank() == 0 ? "send" : "receive"));
    CHECK(lane.slices()[0].name == (world.rank() == 0 ? "world 1" : "world 0"));
    CHECK(lane.slices()[0].bytes == 12);
    CHECK(lane.slices()[1].category == "wait");
  });
}

TEST_CASE("mpi: a datatype covers its piece, also where that is longer than MPI can count") {
  const auto size_of = [](const StridedBytes& piece) {
    MPI_Count size = 0;
    MPI_Type_size_x(weft::mpi::Datatype(piece).get(), &size);
    return static_cast<Index>(size);
  };
  const auto extent_of = [](const StridedBytes& piece) {
    MPI_Count least = 0, extent = 0;
    MPI_Type_get_true_extent_x(weft::mpi::Datatype(piece).get(), &least, &extent);
    return static_cast<Index>(extent);
  };
  StridedBytes piece;
  for (const Index row_bytes :
       {Index{1}, Index{7}, Index{1} << 30, (Index{1} << 30) + 1, (Index{5} << 30) + 3})
    for (const Index rows : {Index{1}, Index{3}, (Index{1} << 31) + 5}) {
      piece.rows = rows, piece.row_bytes = row_bytes, piece.stride = row_bytes + 9;
      if (rows > 3 && row_bytes > 7) continue;
      CHECK(size_of(piece) == rows * row_bytes);
      CHECK(extent_of(piece) == (rows - 1) * piece.stride + row_bytes);
    }
}

TEST_CASE("mpi: messages of more than 2 GiB" * doctest::skip()) {
  on_processes(2, [](World& world) {
    constexpr Index size = (Index{1} << 31) + (Index{1} << 20) + 3;
    void* const memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    auto* const bytes = static_cast<unsigned char*>(memory);
    const std::array<Index, 4> marks{0, (Index{1} << 30) - 1, (Index{1} << 31) + 1, size - 1};
    if (world.rank() == 0)
      for (std::size_t i = 0; i < marks.size(); ++i) bytes[marks[i]] = static_cast<unsigned char>(i + 1);
    Queue queue;
    const View<unsigned char, 1> all(bytes, {size});
    auto event = world.rank() == 0 ? world.send(queue, all, 1) : world.receive(queue, all, 0);
    world.wait(queue, event);
    for (std::size_t i = 0; i < marks.size(); ++i) CHECK(bytes[marks[i]] == i + 1);
    CHECK(bytes[size - 2] == 0);
    ::munmap(memory, size);
  });
}
