#include "offload/host/limits.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "tests/offload/scratch.h"

namespace trireme::offload {
namespace {

using testing::HasSubstr;
using tests::Scratch;
constexpr std::uint64_t gib = std::uint64_t{1} << 30;

void write_process(const Scratch& root, const char* rights, const char* memlock) {
  root.write("proc/self/status", std::string("Name:\tt\nVmLck:\t    1024 kB\nCapEff:\t") + rights + "\n");
  root.write("proc/self/limits",
             std::string("Limit  Soft Limit  Hard Limit  Units\nMax processes 9 9 processes\n"
                         "Max locked memory         ") +
                 memlock + "    bytes\n");
  root.write("proc/meminfo", "MemTotal:  400 kB\nMemAvailable:   8388608 kB\n");
}

TEST(HostLimits, CountsWhatIsLockedAlready) {
  const Scratch root;
  write_process(root, "0000000000000000", "8388608              8388608");
  const HostLimits limits = read_host_limits(root.path());
  EXPECT_EQ(limits.lockable, 7u << 20);
  EXPECT_EQ(limits.machine, 8 * gib);
  EXPECT_EQ(limits.cgroup, std::nullopt);
}

TEST(HostLimits, TheRightToLockAndNoLimitAreNoBound) {
  const Scratch root;
  write_process(root, "000001ffffffffff", "65536  65536");
  EXPECT_EQ(read_host_limits(root.path()).lockable, std::nullopt);
  write_process(root, "0000000000000000", "unlimited  unlimited");
  EXPECT_EQ(read_host_limits(root.path()).lockable, std::nullopt);
}

TEST(HostLimits, TakesTheTightestGroupOfV2AndForgivesCache) {
  const Scratch root;
  write_process(root, "0", "unlimited");
  root.write("proc/self/cgroup", "0::/slurm/job_7\n");
  root.write("sys/fs/cgroup/memory.max", "max\n");
  root.write("sys/fs/cgroup/slurm/memory.max", "4294967296\n");
  root.write("sys/fs/cgroup/slurm/memory.current", "3221225472\n");
  root.write("sys/fs/cgroup/slurm/memory.stat", "anon 5\ninactive_file 1073741824\n");
  root.write("sys/fs/cgroup/slurm/job_7/memory.max", "8589934592\n");
  root.write("sys/fs/cgroup/slurm/job_7/memory.current", "0\n");
  EXPECT_EQ(read_host_limits(root.path()).cgroup, 2 * gib);
}

TEST(HostLimits, ReadsV1) {
  const Scratch root;
  write_process(root, "0", "unlimited");
  root.write("proc/self/cgroup", "5:cpu:/a\n4:memory:/job\n");
  root.write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2147483648\n");
  root.write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1073741824\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(read_host_limits(root.path()).cgroup, gib);
}

TEST(HostLimits, RefusesInOneSentenceThatSaysWhatToDo) {
  HostLimits limits{2 * gib, 8 * gib, 16 * gib};
  EXPECT_EQ(refusal(limits, 2 * gib, "optimizer", true), std::nullopt);
  EXPECT_EQ(refusal(limits, 8 * gib, "optimizer", false), std::nullopt);
  EXPECT_THAT(refusal(limits, 3 * gib, "optimizer", true).value(),
              HasSubstr("optimizer: needs 3 GiB of host memory, but the memlock limit has 2 GiB left"));
  EXPECT_THAT(refusal(limits, 9 * gib, "optimizer", false).value(), HasSubstr("control group has 8 GiB"));
  limits.cgroup.reset();
  EXPECT_THAT(refusal(limits, 17 * gib, "optimizer", false).value(), HasSubstr("the node has 16 GiB left"));
  try {
    require_room(limits, 17 * gib, "optimizer", false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
  }
}

TEST(HostLimits, ReadsThisMachine) {
  EXPECT_GT(read_host_limits().machine.value_or(0), 0u);
}

}  // namespace
}  // namespace trireme::offload
