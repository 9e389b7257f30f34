#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "jobs/launch/command.h"

namespace trireme::jobs {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::Pair;
using With = LaunchOptions::With;

LaunchOptions four_ranks() {
  LaunchOptions options;
  options.ranks = 4;
  options.program = {"./train", "--steps", "3"};
  return options;
}

TEST(LaunchCommand, OversubscribesThisHostByItselfInBothDialects) {
  LaunchFacts facts{.cores = 2, .open_mpi_major = 4};
  EXPECT_THAT(
      command_for(four_ranks(), facts, {}).arguments,
      ElementsAre("mpirun", "-n", "4", "--oversubscribe", "--bind-to", "none", "./train", "--steps", "3"));
  facts.open_mpi_major = 5;
  EXPECT_THAT(command_for(four_ranks(), facts, {}).arguments,
              ElementsAre("mpirun", "-n", "4", "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none", "./train",
                          "--steps", "3"));
  facts.cores = 4;
  EXPECT_THAT(command_for(four_ranks(), facts, {}).arguments, Not(Contains(":OVERSUBSCRIBE")));
}

TEST(LaunchCommand, LeavesSlotsToTheHostfile) {
  LaunchOptions options = four_ranks();
  options.hostfile = "hosts";
  EXPECT_THAT(command_for(options, {.cores = 1}, {}).arguments,
              ElementsAre("mpirun", "-n", "4", "--hostfile", "hosts", "--bind-to", "none", "./train",
                          "--steps", "3"));
}

TEST(LaunchCommand, AllowsRootOnlyToRoot) {
  EXPECT_THAT(command_for(four_ranks(), {.root = true}, {}).environment,
              Contains(Pair("OMPI_ALLOW_RUN_AS_ROOT", "1")));
  EXPECT_TRUE(command_for(four_ranks(), {.root = false}, {}).environment.empty());
}

TEST(LaunchCommand, HandsItsVariablesToRanksOnOtherHosts) {
  const auto command = command_for(four_ranks(), {.cores = 8}, {{"A", "1"}, {"B", "2"}});
  EXPECT_THAT(command.arguments, ElementsAre("mpirun", "-n", "4", "--bind-to", "none", "-x", "A", "-x", "B",
                                             "./train", "--steps", "3"));
  EXPECT_THAT(command.environment, ElementsAre(Pair("A", "1"), Pair("B", "2")));
}

TEST(LaunchCommand, TakesSrunInsideAnAllocationUnlessToldOtherwise) {
  const LaunchFacts allocation{.cores = 2, .in_slurm_allocation = true, .has_srun = true};
  EXPECT_THAT(command_for(four_ranks(), allocation, {}).arguments,
              ElementsAre("srun", "--mpi=pmix", "--kill-on-bad-exit=1", "--ntasks=4", "--cpu-bind=none",
                          "./train", "--steps", "3"));
  LaunchOptions told = four_ranks();
  told.with = With::mpirun;
  EXPECT_EQ(choose(told, allocation), With::mpirun);
  EXPECT_EQ(choose(four_ranks(), {.has_srun = true}), With::mpirun);
  EXPECT_EQ(choose(four_ranks(), {.in_slurm_allocation = true, .has_srun = false}), With::mpirun);
  told.with = With::srun;
  EXPECT_EQ(choose(told, {.has_srun = true}), With::srun);
  EXPECT_THROW(choose(told, {.has_srun = false}), Error);
  told.hostfile = "hosts";
  EXPECT_THROW(choose(told, {.has_srun = true}), Error);
}

TEST(LaunchCommand, KnowsTheVersionsOfOpenMpiAndRefusesOthers) {
  EXPECT_EQ(open_mpi_major("mpirun (Open MPI) 4.1.4\n\nReport bugs to"), 4);
  EXPECT_EQ(open_mpi_major("mpirun (Open MPI) 5.0.11\n"), 5);
  EXPECT_THROW(open_mpi_major("HYDRA build details:\n    Version: 4.0.2"), Error);
  EXPECT_THROW(open_mpi_major("mpirun (Open MPI) 3.1.6"), Error);
  EXPECT_THROW(open_mpi_major(""), Error);
}

TEST(LaunchCommand, ReadsDurations) {
  EXPECT_EQ(parse_duration_ms("30"), 30000);
  EXPECT_EQ(parse_duration_ms("30s"), 30000);
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("1.5h"), 5400000);
  for (const char* wrong : {"", "x", "0", "-3s", "5x", "1e300", "nan", "s"})
    EXPECT_THROW(parse_duration_ms(wrong), Error) << wrong;
}

}  // namespace
}  // namespace trireme::jobs
