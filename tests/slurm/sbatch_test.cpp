#include "slurm/sbatch.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "core/error.h"
#include "core/process.h"

namespace trireme::slurm {
namespace {

using testing::HasSubstr;
using testing::Not;

BatchJob small_job() {
  BatchJob job;
  job.run_folder = "/runs/one";
  job.command = {"trireme", "train", "job.yaml"};
  return job;
}

TEST(Sbatch, SaysWhatIsSetAndLeavesOutTheRest) {
  BatchJob job = small_job();
  job.nodes = 4;
  job.gpus_per_node = 8;
  job.account = "physics";
  const std::string text = render(job);
  EXPECT_THAT(text, HasSubstr("#SBATCH --nodes=4\n"));
  EXPECT_THAT(text, HasSubstr("#SBATCH --gpus-per-node=8\n"));
  EXPECT_THAT(text, HasSubstr("#SBATCH --account=physics\n"));
  EXPECT_THAT(text, HasSubstr("#SBATCH --signal=USR1@120\n"));
  EXPECT_THAT(text, HasSubstr("start() { srun --mpi=pmix --kill-on-bad-exit=1 trireme train job.yaml; }\n"));
  EXPECT_THAT(text, Not(HasSubstr("--partition")));
  EXPECT_THAT(text, Not(HasSubstr("--time")));
}

TEST(Sbatch, IsValidShell) {
  BatchJob job = small_job();
  job.environment = {"A=it's $HOME `id`"};
  job.scratch = "/local scratch";
  job.container = "image.sif";
  const ProcessResult checked = run_process({"bash", "-n"}, render(job));
  EXPECT_EQ(checked.status, 0) << checked.errors;
}

TEST(Sbatch, LooksAtNodesBeforeTheRanksStart) {
  BatchJob job = small_job();
  job.health_command = {"trireme", "doctor", "--health", "/runs/one"};
  const std::string text = render(job);
  EXPECT_EQ(run_process({"bash", "-n"}, text).status, 0);
  EXPECT_LT(text.find("doctor --health /runs/one"), text.find("\nstatus=75\n"));
  EXPECT_THAT(text, HasSubstr("ExcNodeList="));
  job.requeue = false;
  EXPECT_THAT(render(job), Not(HasSubstr("doctor")));
}

TEST(Sbatch, OutputHasNoPatternsButTheJobsNumber) {
  BatchJob job = small_job();
  job.run_folder = "/runs/50%j";
  EXPECT_THAT(render(job), HasSubstr("#SBATCH --output=/runs/50%%j/log/slurm-%j.log\n"));
}

TEST(Sbatch, HostileWordsComeBackUnchangedFromTheShell) {
  for (const std::string& word :
       std::vector<std::string>{"", "a b", "$(touch /x)", "`id`", "it's", "\"", "\\", "a\nb", "; rm -rf /",
                                "*", "~", "ünï", "-n"}) {
    const ProcessResult echoed = run_process({"bash", "-c", "printf %s " + shell_quote(word)});
    EXPECT_EQ(echoed.output, word);
  }
}

TEST(Sbatch, RefusesValuesThatALineCannotCarry) {
  for (const std::string& value : std::vector<std::string>{"two words", "line\nbreak", "#x", "it\'s", "a\"b",
                                                           "tab\t", "back\\slash", "\x7f"}) {
    BatchJob job = small_job();
    job.partition = value;
    try {
      render(job);
      ADD_FAILURE() << "accepted " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::configuration);
      EXPECT_THAT(error.what(), HasSubstr("slurm.partition"));
    }
  }
}

TEST(Sbatch, RefusesEnvironmentThatIsNoAssignment) {
  for (const char* pair : {"A", "=x", "1A=x", "A B=x", "A;B=x"}) {
    BatchJob job = small_job();
    job.environment = {pair};
    EXPECT_THROW(render(job), Error) << pair;
  }
}

}  // namespace
}  // namespace trireme::slurm
