#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "comm/doctor/cgroup.h"
#include "comm/doctor/gpu_checks.h"
#include "comm/doctor/parse.h"

namespace trireme::comm::doctor {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(Parse, Meminfo) {
  const auto values = parse_meminfo(
      "MemTotal:       24684092 kB\nHugePages_Total:       4\nodd\nBroken: many kB\nHugetlb: 12 kB\n");
  EXPECT_EQ(values.at("MemTotal"), 24684092ull * 1024);
  EXPECT_EQ(values.at("HugePages_Total"), 4u);
  EXPECT_EQ(values.size(), 3u);
  EXPECT_THAT(parse_meminfo(""), IsEmpty());
}

TEST(Parse, Choice) {
  EXPECT_EQ(parse_choice("always [madvise] never\n"), "madvise");
  for (const char* text : {"", "always", "[always", "]always["}) EXPECT_EQ(parse_choice(text), "") << text;
}

TEST(Parse, CpuFlags) {
  const std::string text =
      "processor\t: 0\nmodel name\t: X: 5\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: fpu other\n";
  EXPECT_THAT(parse_cpu_flags(text), UnorderedElementsAre("fpu", "avx2"));
  EXPECT_EQ(parse_cpu_model(text), "X: 5");
  EXPECT_THAT(parse_cpu_flags("nothing here"), IsEmpty());
}

TEST(Parse, Versions) {
  EXPECT_EQ(parse_nvidia_version("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 "
                                 "07:18:45 UTC 2025\nGCC version: 12.2\n"),
            "580.65.06");
  EXPECT_EQ(parse_nvidia_version(
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build\n"),
            "575.57.08");
  EXPECT_EQ(parse_nvidia_version("GCC version: 12.2\n"), "");
  EXPECT_EQ(parse_dotted_version("GDS Version: 1.15.0.42 \nNVFS driver version: 2.26"), "1.15.0.42");
  EXPECT_EQ(parse_dotted_version("v2.26."), "2.26");
  for (const char* text : {"", "12", "1.", ".5", "a.b"}) EXPECT_EQ(parse_dotted_version(text), "") << text;
}

TEST(Parse, CgroupMemberships) {
  EXPECT_THAT(parse_cgroup_memberships("0::/user.slice/a:b\n"),
              ElementsAre(CgroupMembership{{}, "/user.slice/a:b"}));
  EXPECT_THAT(parse_cgroup_memberships("4:memory:/job\n2:cpu,cpuacct:/\n"),
              ElementsAre(CgroupMembership{{"memory"}, "/job"}, CgroupMembership{{"cpu", "cpuacct"}, "/"}));
  EXPECT_THAT(parse_cgroup_memberships("x:memory:/\nmemory\n4:memory\n4:memory:relative\n\n"), IsEmpty());
}

TEST(Parse, CgroupLimits) {
  EXPECT_EQ(parse_cgroup_bytes("1073741824\n"), 1073741824u);
  EXPECT_EQ(parse_cgroup_bytes("0\n"), 0u);
  for (const char* text : {"max\n", "9223372036854771712\n", "", "-1", "lots", "18446744073709551615"})
    EXPECT_EQ(parse_cgroup_bytes(text), std::nullopt) << text;
  EXPECT_EQ(parse_cpu_max("150000 100000\n"), 1.5);
  for (const char* text : {"max 100000\n", "", "150000", "150000 0", "-1 100000", "a b"})
    EXPECT_EQ(parse_cpu_max(text), std::nullopt) << text;
  EXPECT_EQ(parse_cpu_quota("200000\n", "100000\n"), 2.0);
  EXPECT_EQ(parse_cpu_quota("-1\n", "100000\n"), std::nullopt);
}

class FakeRoot {
 public:
  FakeRoot() : path_(fs::temp_directory_path() / ("trireme-doctor-" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
  }
  ~FakeRoot() { fs::remove_all(path_); }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;
  void file(const std::string& name, const std::string& text) {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(Cgroup, UnifiedTakesTheTightestAncestor) {
  FakeRoot root;
  root.file("proc/self/cgroup", "0::/slice/job/step\n");
  root.file("sys/fs/cgroup/slice/job/step/memory.max", "max\n");
  root.file("sys/fs/cgroup/slice/job/memory.max", "4096\n");
  root.file("sys/fs/cgroup/slice/memory.max", "8192\n");
  root.file("sys/fs/cgroup/slice/job/step/cpu.max", "300000 100000\n");
  root.file("sys/fs/cgroup/slice/cpu.max", "200000 100000\n");
  EXPECT_EQ(read_cgroup_limits(root.path()), (CgroupLimits{4096, 2.0}));
}

TEST(Cgroup, OldHierarchiesAreReadToo) {
  FakeRoot root;
  root.file("proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/\n0::/\n");
  root.file("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
  root.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "65536\n");
  root.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
  root.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(read_cgroup_limits(root.path()), (CgroupLimits{65536, 0.5}));
}

TEST(Cgroup, AContainerSeesOnlyTheTop) {
  FakeRoot root;
  root.file("proc/self/cgroup", "0::/docker/0123\n");
  root.file("sys/fs/cgroup/memory.max", "1000\n");
  EXPECT_EQ(read_cgroup_limits(root.path()).memory_bytes, 1000u);
  EXPECT_EQ(read_cgroup_limits(root.path() / "nowhere"), CgroupLimits{});
}

TEST(PciGpus, NvidiaDisplayAndComputeDevicesCount) {
  FakeRoot root;
  root.file("sys/bus/pci/devices/0000:3b:00.0/class", "0x030200\n");
  root.file("sys/bus/pci/devices/0000:3b:00.0/vendor", "0x10de\n");
  root.file("sys/bus/pci/devices/0000:3b:00.1/class", "0x040300\n");
  root.file("sys/bus/pci/devices/0000:3b:00.1/vendor", "0x10de\n");
  root.file("sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
  root.file("sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n");
  EXPECT_EQ(count_pci_gpus(root.path()), 1);
  EXPECT_EQ(count_pci_gpus(root.path() / "nowhere"), 0);
  EXPECT_EQ(find_library("class", {"/nowhere", root.path() / "sys/bus/pci/devices/0000:3b:00.1"}),
            root.path() / "sys/bus/pci/devices/0000:3b:00.1/class");
  EXPECT_EQ(find_library("class", {"/nowhere"}), fs::path{});
}

}  // namespace
}  // namespace trireme::comm::doctor
