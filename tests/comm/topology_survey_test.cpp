#include "comm/topology_survey.h"

#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "comm/topology_hwloc.h"

namespace trireme::comm {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

/// A tree of text files that stands for another machine's /proc, /sys and /dev.
class FakeMachine {
 public:
  FakeMachine() : root_(fs::temp_directory_path() / ("trireme-survey-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
  }
  ~FakeMachine() { fs::remove_all(root_); }
  FakeMachine(const FakeMachine&) = delete;
  FakeMachine& operator=(const FakeMachine&) = delete;

  void file(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void gpu(const std::string& id, int minor, const std::string& numa) {
    file("proc/driver/nvidia/gpus/" + id + "/information", "Model: \t\t NVIDIA H100\nGPU UUID: \t GPU-" + id +
                                                               "\nDevice Minor: \t " + std::to_string(minor) +
                                                               "\n");
    file("dev/nvidia" + std::to_string(minor), "");
    file("sys/bus/pci/devices/" + id + "/numa_node", numa);
  }
  const fs::path& root() const { return root_; }

 private:
  fs::path root_;
};

TEST(Survey, FindsGpusByPciIdAndNuma) {
  FakeMachine machine;
  machine.gpu("0000:c1:00.0", 1, "1\n");
  machine.gpu("0000:3b:00.0", 0, "-1\n");
  const auto gpus = survey_gpus(machine.root());
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[0], (Gpu{"0000:3b:00.0", "NVIDIA H100", "GPU-0000:3b:00.0", -1}));
  EXPECT_EQ(gpus[1].numa, 1);
}

TEST(Survey, LeavesOutGpusWhoseDeviceCannotBeOpened) {
  FakeMachine machine;
  machine.gpu("0000:3b:00.0", 0, "0\n");
  machine.gpu("0000:5e:00.0", 1, "0\n");
  fs::remove(machine.root() / "dev/nvidia0");
  const auto gpus = survey_gpus(machine.root());
  ASSERT_EQ(gpus.size(), 1u);
  EXPECT_EQ(gpus[0].id, "0000:5e:00.0");
  EXPECT_THAT(survey({{"CUDA_VISIBLE_DEVICES", ""}}, machine.root()).gpus, IsEmpty());
  EXPECT_EQ(survey({{"CUDA_VISIBLE_DEVICES", "0"}}, machine.root()).gpus, gpus);
}

TEST(Survey, FindsActiveInfinibandPorts) {
  FakeMachine machine;
  machine.file("sys/class/infiniband/mlx5_0/ports/1/state", "4: ACTIVE\n");
  machine.file("sys/class/infiniband/mlx5_0/ports/1/rate", "200 Gb/sec (4X HDR)\n");
  machine.file("sys/class/infiniband/mlx5_0/node_guid", "0c42:a103:0065:3afe\n");
  machine.file("sys/class/infiniband/mlx5_0/device/numa_node", "1\n");
  machine.file("sys/class/infiniband/mlx5_1/ports/1/state", "1: DOWN\n");
  const auto ports = survey_infiniband(machine.root());
  ASSERT_EQ(ports.size(), 1u);
  EXPECT_EQ(ports[0], (NetworkInterface{"mlx5_0:1", "0c42:a103:0065:3afe", 200, true, 1}));
}

TEST(Survey, EmptyMachineHasNoDevices) {
  FakeMachine machine;
  EXPECT_THAT(survey_gpus(machine.root()), IsEmpty());
  EXPECT_THAT(survey_infiniband(machine.root()), IsEmpty());
}

TEST(Survey, DescribesThisMachine) {
  const RankReport report = survey(current_environment());
  EXPECT_EQ(report.boot_id.size(), 36u);
  EXPECT_FALSE(report.hostname.empty());
  EXPECT_FALSE(report.cores.empty());
  ASSERT_FALSE(report.numa_nodes.empty());
  for (const NumaNode& node : report.numa_nodes) EXPECT_EQ(node.distances.size(), report.numa_nodes.size());
  const RankReport copy = report_from_json(to_json(report));
  EXPECT_EQ(copy.cores, report.cores);
  EXPECT_EQ(copy.interfaces, report.interfaces);
  EXPECT_EQ(copy.numa_nodes, report.numa_nodes);
}

TEST(Survey, SeesTheRealBinding) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  int last = -1;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &before)) last = cpu;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  const BoundCores bound = find_bound_cores();
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(bound.cores.size(), 1u);
  EXPECT_LE(bound.cores.front(), last);
}

}  // namespace
}  // namespace trireme::comm
