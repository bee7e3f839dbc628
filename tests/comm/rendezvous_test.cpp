#include "weft/comm/rendezvous.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

namespace {

using weft::LaunchEnvironment;

LaunchEnvironment place(int rank, int world, int port) {
  return {.launcher = "torchrun",
          .rank = rank,
          .world = world,
          .local_rank = rank,
          .local_world = world,
          .address = "localhost",
          .port = port};
}

int some_port() { return 33000 + static_cast<int>(::getpid() % 20000); }

std::vector<std::string> shared(int world, int port) {
  std::vector<std::string> texts(static_cast<std::size_t>(world));
  {
    std::vector<std::jthread> ranks;
    for (int rank = 0; rank < world; ++rank)
      ranks.emplace_back([&texts, rank, world, port] {
        texts[static_cast<std::size_t>(rank)] =
            weft::Rendezvous(place(rank, world, port)).share(rank == 0 ? "the text\nof rank 0" : "");
      });
  }
  return texts;
}

}  // namespace

TEST_CASE("Rendezvous: all get the text of rank 0") {
  for (const int world : {1, 2, 5})
    CHECK(shared(world, some_port()) ==
          std::vector<std::string>(static_cast<std::size_t>(world), "the text\nof rank 0"));
}

TEST_CASE("Rendezvous: somebody else on the first port is no harm") {
  const weft::Door stranger(some_port() + 1, 0);
  CHECK(shared(3, some_port()) == std::vector<std::string>(3, "the text\nof rank 0"));
}

TEST_CASE("Rendezvous: whoever does not come is named, and so is a rank 0 that is not there") {
  weft::Rendezvous first(place(0, 3, some_port())), second(place(1, 3, some_port() + 20));
  CHECK_THROWS_WITH((void)first.share("", std::chrono::milliseconds(200)),
                    "of 3 ranks, 1 and 2 did not come to rank 0");
  const std::string ports = weft::sentence("ports ", some_port() + 21, " to ", some_port() + 28);
  CHECK_THROWS_WITH((void)second.share("", std::chrono::milliseconds(200)),
                    ("rank 1 did not find rank 0 at 127.0.0.1, " + ports).c_str());
}

TEST_CASE("Rendezvous: ranks of several hosts must be told where rank 0 is") {
  LaunchEnvironment lost = place(0, 16, 0);
  lost.launcher = "mpirun", lost.local_world = 8, lost.address.clear();
  CHECK_THROWS_WITH_AS(weft::Rendezvous{lost},
                       "mpirun has started ranks on several hosts and does not tell them where rank 0 is; "
                       "set MASTER_ADDR to its host for all of them, as in mpirun -x MASTER_ADDR=node1",
                       weft::Refused);
}
