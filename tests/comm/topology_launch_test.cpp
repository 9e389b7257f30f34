#include <gmock/gmock.h>

#include "comm/bootstrap_launch.h"

namespace trireme::comm {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const Environment batch_script = {{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}};
const Environment srun_step = {
    {"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "3"}, {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "4"}};

Environment with(Environment environment, const Environment& more) {
  for (const auto& [name, value] : more) environment[name] = value;
  return environment;
}

TEST(Launch, NoLauncherIsFine) {
  EXPECT_THAT(launch_problem({}, 0, 1), IsEmpty());
}

TEST(Launch, OpenMpiCountsMustAgree) {
  EXPECT_THAT(launch_problem({{"OMPI_COMM_WORLD_SIZE", "4"}}, 3, 4), IsEmpty());
  EXPECT_THAT(launch_problem({{"OMPI_COMM_WORLD_SIZE", "4"}}, 0, 1),
              HasSubstr("mpirun started 4 processes (OMPI_COMM_WORLD_SIZE) but MPI sees 1"));
}

TEST(Launch, PmiCountsMustAgree) {
  EXPECT_THAT(launch_problem({{"PMI_SIZE", "2"}}, 1, 2), IsEmpty());
  EXPECT_THAT(launch_problem({{"PMI_SIZE", "2"}}, 0, 1), HasSubstr("srun --mpi=pmix"));
}

TEST(Launch, SrunWithoutPmixIsRefused) {
  EXPECT_THAT(launch_problem(srun_step, 3, 4), IsEmpty());
  EXPECT_THAT(launch_problem(srun_step, 0, 1),
              HasSubstr("srun started 4 tasks (SLURM_STEP_NUM_TASKS) but MPI sees 1"));
  Environment old = srun_step;
  old.erase("SLURM_STEP_NUM_TASKS");
  EXPECT_THAT(launch_problem(old, 0, 1), HasSubstr("srun started 8 tasks (SLURM_NTASKS)"));
}

TEST(Launch, OpenMpiUnderSrunNeedsPmix) {
  const char* library = "Open MPI v4.1.4, package: Debian OpenMPI";
  EXPECT_THAT(
      hopeless_launch(srun_step, library),
      HasSubstr("srun started 4 tasks without PMIx, and Open MPI cannot start so: use `srun --mpi=pmix`"));
  EXPECT_THAT(hopeless_launch(with(srun_step, {{"PMIX_RANK", "3"}}), library), IsEmpty());
  EXPECT_THAT(hopeless_launch(with(srun_step, {{"PMI_RANK", "3"}}), library), IsEmpty());
  EXPECT_THAT(hopeless_launch(with(srun_step, {{"OMPI_COMM_WORLD_SIZE", "4"}}), library), IsEmpty());
  EXPECT_THAT(hopeless_launch(srun_step, "MPICH Version: 4.1"), IsEmpty());
  EXPECT_THAT(hopeless_launch(batch_script, library), IsEmpty());
  EXPECT_THAT(hopeless_launch({}, library), IsEmpty());
}

TEST(Launch, OneProcessInABatchScriptIsFine) {
  EXPECT_THAT(launch_problem(batch_script, 0, 1), IsEmpty());
  // Newer Slurms number the batch script's and the interactive shell's step.
  EXPECT_THAT(launch_problem(with(batch_script, {{"SLURM_STEP_ID", "4294967291"}}), 0, 1), IsEmpty());
  EXPECT_THAT(launch_problem(with(batch_script, {{"SLURM_STEP_ID", "4294967290"}}), 0, 1), IsEmpty());
}

TEST(Launch, OneTaskStepOfALargerJobIsFine) {
  EXPECT_THAT(launch_problem(with(srun_step, {{"SLURM_STEP_NUM_TASKS", "1"}}), 0, 1), IsEmpty());
}

TEST(Launch, MpirunInsideASlurmStepCountsItself) {
  EXPECT_THAT(launch_problem(with(srun_step, {{"OMPI_COMM_WORLD_SIZE", "16"}, {"PMI_SIZE", "4"}}), 9, 16),
              IsEmpty());
  EXPECT_THAT(launch_problem(with(batch_script, {{"OMPI_COMM_WORLD_SIZE", "1"}}), 0, 1), IsEmpty());
}

TEST(Launch, PmixRankMustExist) {
  EXPECT_THAT(launch_problem({{"PMIX_RANK", "0"}}, 0, 1), IsEmpty());
  EXPECT_THAT(launch_problem({{"PMIX_RANK", "2"}}, 2, 4), IsEmpty());
  EXPECT_THAT(launch_problem({{"PMIX_RANK", "2"}}, 0, 1),
              HasSubstr("PMIx calls this process rank 2 but MPI says rank 0 of 1"));
}

TEST(Launch, TorchrunIsNamed) {
  EXPECT_THAT(launch_problem({{"WORLD_SIZE", "8"}}, 0, 1), IsEmpty()) << "a stray variable proves nothing";
  EXPECT_THAT(launch_problem({{"WORLD_SIZE", "8"}, {"TORCHELASTIC_RUN_ID", "x"}}, 0, 1),
              HasSubstr("torchrun started 8"));
}

TEST(Launch, NonsenseValuesAreIgnored) {
  EXPECT_THAT(launch_problem({{"OMPI_COMM_WORLD_SIZE", "many"}, {"PMI_SIZE", ""}, {"PMIX_RANK", "*"}}, 0, 1),
              IsEmpty());
}

}  // namespace
}  // namespace trireme::comm
