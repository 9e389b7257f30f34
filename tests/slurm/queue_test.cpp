#include "slurm/queue.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace trireme::slurm {
namespace {

TEST(Queue, ReadsScontrolsText) {
  const std::string text =
      "JobId=12 JobName=x JobState=RUNNING Reason=None Restarts=2 NodeList=n[0-1] BatchHost=n0 NumNodes=2";
  EXPECT_EQ(scontrol_value(text, "JobState"), "RUNNING");
  EXPECT_EQ(scontrol_value(text, "NodeList"), "n[0-1]");
  EXPECT_EQ(scontrol_value(text, "Nodes"), "");
  EXPECT_EQ(scontrol_value(text, "NumNodes"), "2");
}

TEST(Queue, KnowsWhatIsFinal) {
  EXPECT_TRUE(is_final("CANCELLED"));
  EXPECT_TRUE(is_final("COMPLETED"));
  EXPECT_FALSE(is_final("PENDING"));
  EXPECT_FALSE(is_final("REQUEUED"));
}

TEST(Queue, RefusesWhatIsNoJobIdBeforeAskingSlurm) {
  for (const char* id : {"", "12;rm", "--all", "x"}) EXPECT_THROW(find_job(id), Error) << id;
}

}  // namespace
}  // namespace trireme::slurm
