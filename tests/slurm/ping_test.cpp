#include "slurm/ping.h"

#include <gtest/gtest.h>

namespace trireme::slurm {
namespace {

TEST(Ping, UpAndDown) {
  EXPECT_EQ(ping_from(0, "Slurmctld(primary) at head is UP\n", "").answer, Ping::Answer::up);
  EXPECT_EQ(ping_from(0, "Slurmctld(primary) at head is UP\n", "").words, "Slurmctld(primary) at head is UP");
  EXPECT_EQ(ping_from(0, "Slurmctld(primary) at a is DOWN\nSlurmctld(backup) at b is UP\n", "").answer,
            Ping::Answer::up);
  const Ping down = ping_from(1, "Slurmctld(primary) at head is DOWN\n", "");
  EXPECT_EQ(down.answer, Ping::Answer::down);
  EXPECT_EQ(down.words, "Slurmctld(primary) at head is DOWN");
}

TEST(Ping, TroubleIsToldInSlurmsWords) {
  EXPECT_EQ(ping_from(1, "", "scontrol: error: munge\nscontrol: fatal: no\n").words,
            "scontrol: error: munge scontrol: fatal: no");
  EXPECT_EQ(ping_from(1, "", "").words, "scontrol ping says nothing");
  EXPECT_EQ(ping_from(1, "", "scontrol: fatal: Could not establish a configuration source\n").answer,
            Ping::Answer::not_configured);
}

}  // namespace
}  // namespace trireme::slurm
