#include "weft/comm/job/launch_environment.hpp"

#include <doctest/doctest.h>

#include <map>

using doctest::Contains;
using weft::InvalidArgument;
using weft::LaunchEnvironment;

namespace {

using Variables = std::map<std::string, std::string>;

std::optional<LaunchEnvironment> environment_of(const Variables& variables) {
  return weft::launch_environment([&](const char* name) {
    const auto at = variables.find(name);
    return at == variables.end() ? nullptr : at->second.c_str();
  });
}

const Variables mpirun{{"OMPI_COMM_WORLD_RANK", "5"},
                       {"OMPI_COMM_WORLD_SIZE", "8"},
                       {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                       {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                       {"PMIX_RANK", "5"}};
const Variables torchrun{{"RANK", "5"},
                         {"WORLD_SIZE", "16"},
                         {"LOCAL_RANK", "5"},
                         {"LOCAL_WORLD_SIZE", "8"},
                         {"MASTER_ADDR", "node1"},
                         {"MASTER_PORT", "29500"}};
const Variables srun{{"SLURM_PROCID", "9"},
                     {"SLURM_STEP_NUM_TASKS", "16"},
                     {"SLURM_LOCALID", "1"},
                     {"SLURM_STEP_TASKS_PER_NODE", "8(x2)"},
                     {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"}};

Variables operator+(Variables all, const Variables& more) {
  for (const auto& [name, value] : more) all[name] = value;
  return all;
}

Variables without(Variables all, const std::string& name) {
  all.erase(name);
  return all;
}

}  // namespace

TEST_CASE("launch_environment: returns nothing without a launcher") {
  CHECK_FALSE(environment_of({}));
  CHECK_FALSE(environment_of({{"MASTER_ADDR", "localhost"}, {"LOCAL_RANK", "0"}}));
  CHECK_FALSE(environment_of({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}}));  // a batch script's own shell
}

TEST_CASE("launch_environment: mpirun") {
  const auto place = environment_of(mpirun);
  REQUIRE(place);
  CHECK(place->launcher == "mpirun");
  CHECK(place->rank == 5);
  CHECK(place->world == 8);
  CHECK(place->local_rank == 1);
  CHECK(place->local_world == 4);
  CHECK(place->address.empty());
  CHECK(place->port == 0);
  CHECK(place->has_pmi);
  const auto hydra = environment_of(
      {{"PMI_RANK", "1"}, {"PMI_SIZE", "4"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "2"}});
  REQUIRE(hydra);
  CHECK(hydra->launcher == "mpirun");
  CHECK(hydra->rank == 1);
  CHECK(hydra->local_world == 2);
}

TEST_CASE("launch_environment: torchrun") {
  const auto place = environment_of(torchrun);
  REQUIRE(place);
  CHECK(place->launcher == "torchrun");
  CHECK(place->rank == 5);
  CHECK(place->world == 16);
  CHECK(place->local_rank == 5);
  CHECK(place->local_world == 8);
  CHECK(place->address == "node1");
  CHECK(place->port == 29500);
  CHECK_FALSE(place->has_pmi);
}

TEST_CASE("launch_environment: srun") {
  const auto place = environment_of(srun);
  REQUIRE(place);
  CHECK(place->launcher == "srun");
  CHECK(place->rank == 9);
  CHECK(place->world == 16);
  CHECK(place->local_rank == 1);
  CHECK(place->local_world == 8);
  CHECK(place->address == "10.0.0.1");
  CHECK_FALSE(place->has_pmi);
  CHECK(environment_of(srun + Variables{{"PMIX_RANK", "9"}})->has_pmi);
  CHECK(environment_of(srun + Variables{{"MASTER_ADDR", "node1"}, {"MASTER_PORT", "4000"}})->address ==
        "node1");
}

TEST_CASE("launch_environment: srun's hosts may have different numbers of tasks") {
  const auto local_world = [](const char* tasks, int world, int rank, const char* node) {
    Variables all = srun + Variables{{"SLURM_STEP_TASKS_PER_NODE", tasks},
                                     {"SLURM_STEP_NUM_TASKS", std::to_string(world)},
                                     {"SLURM_PROCID", std::to_string(rank)},
                                     {"SLURM_LOCALID", "0"}};
    return environment_of(*node ? all + Variables{{"SLURM_NODEID", node}} : all)->local_world;
  };
  CHECK(local_world("8(x2),4", 20, 0, "0") == 8);
  CHECK(local_world("8(x2),4", 20, 1, "1") == 8);
  CHECK(local_world("8(x2),4", 20, 2, "2") == 4);  // ranks go round the hosts
  CHECK(local_world("8(x2),4", 20, 15, "") == 8);
  CHECK(local_world("8(x2),4", 20, 16, "") == 4);
  CHECK(local_world("2,1(x3)", 5, 4, "3") == 1);
  CHECK(local_world("4", 4, 3, "0") == 4);
  for (const char* wrong :
       {"", "8x2", "8(x2", "8(x)", "8,", ",8", "0", "-1", "8(x2)4", "99999999999", "8(x200000)"})
    CHECK_THROWS_AS(local_world(wrong, 20, 0, "0"), InvalidArgument);
  CHECK_THROWS_WITH_AS(local_world("8(x2),4", 20, 0, "3"),
                       Contains("\"8(x2),4\" and has no number for host 3"), InvalidArgument);
  CHECK_THROWS_WITH_AS(local_world("8(x2),4", 30, 25, ""), Contains("has no number for rank 25"),
                       InvalidArgument);
}

TEST_CASE("launch_environment: a launcher that srun starts once a host goes before srun") {
  CHECK(environment_of(srun + torchrun)->launcher == "torchrun");
  CHECK(environment_of(srun + mpirun)->rank == 5);
}

TEST_CASE("launch_environment: two launchers may agree, and are rejected otherwise") {
  const auto both = environment_of(torchrun + mpirun + Variables{{"WORLD_SIZE", "8"}});
  REQUIRE(both);
  CHECK(both->launcher == "mpirun");
  CHECK(both->address == "node1");
  CHECK_THROWS_WITH_AS(environment_of(torchrun + mpirun),
                       Contains("rank 5 of 8, and RANK and WORLD_SIZE say 5 of 16; start with one launcher"),
                       InvalidArgument);
}

TEST_CASE("launch_environment: an incomplete environment is rejected") {
  CHECK_THROWS_WITH_AS(environment_of({{"RANK", "3"}}),
                       Contains("RANK is set and WORLD_SIZE is not; torchrun sets both"), InvalidArgument);
  CHECK_THROWS_WITH_AS(environment_of({{"WORLD_SIZE", "3"}}), Contains("WORLD_SIZE is set and RANK is not"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(environment_of(without(mpirun, "OMPI_COMM_WORLD_SIZE")),
                       Contains("OMPI_COMM_WORLD_SIZE is not"), InvalidArgument);
  CHECK_THROWS_WITH_AS(environment_of(without(torchrun, "MASTER_PORT")), Contains("MASTER_PORT is not"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(environment_of(without(srun, "SLURM_PROCID")), Contains("SLURM_PROCID is not"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(environment_of({{"PMIX_RANK", "3"}}), Contains("PMIX_RANK is 3"), InvalidArgument);
}

TEST_CASE("launch_environment: a value that is no number, or out of range, is rejected") {
  CHECK_THROWS_WITH_AS(environment_of(torchrun + Variables{{"RANK", "16"}}),
                       Contains("RANK is \"16\" and must be a whole number from 0 to 15"), InvalidArgument);
  CHECK_THROWS_WITH_AS(environment_of(torchrun + Variables{{"WORLD_SIZE", "many"}}),
                       Contains("WORLD_SIZE is \"many\""), InvalidArgument);
  CHECK_THROWS_WITH_AS(environment_of(torchrun + Variables{{"LOCAL_RANK", "8"}}), Contains("from 0 to 7"),
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(environment_of(torchrun + Variables{{"MASTER_PORT", "0"}}), Contains("MASTER_PORT"),
                       InvalidArgument);
}
