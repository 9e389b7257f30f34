#include <cerrno>

#include <gmock/gmock.h>
#include <mpi.h>

#include "comm/doctor/clock.h"
#include "comm/doctor/gpu_checks.h"
#include "comm/doctor/machine_checks.h"
#include "comm/doctor/mpi_checks.h"
#include "comm/doctor/topology_text.h"

namespace trireme::comm::doctor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t gib = 1ull << 30;

TEST(Findings, EqualOnesOfSeveralHostsAreJoined) {
  const auto entries = merge({{"a", {ok("one", "x"), ok("two", "y")}},
                              {"b", {ok("one", "x"), problem("two", "z", "do")}},
                              {"b", {ok("one", "x")}}});
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].finding.check, "one");
  EXPECT_THAT(entries[0].hosts, ElementsAre("a", "b"));
  EXPECT_THAT(entries[2].hosts, ElementsAre("b"));
  EXPECT_EQ(exit_status(entries), 78);
  EXPECT_EQ(exit_status({entries[0], {warning("w", "", ""), {"a"}}}), 0);
  const std::string text = table(entries, 2);
  EXPECT_THAT(text, HasSubstr("ok       one  x\n"));
  EXPECT_THAT(text, HasSubstr("problem  two  z  [b]\n"));
  EXPECT_THAT(text, HasSubstr("→ do"));
}

TEST(Findings, JsonKeepsThem) {
  const std::vector<Finding> findings = {ok("a \"b\"", "line\nline"), warning("c", "é", "do\\it"),
                                         problem("d", "", "x")};
  EXPECT_EQ(findings_from_json(to_json(findings)), findings);
  EXPECT_EQ(json_line({warning("c", "f", "do"), {"n0", "n1"}}),
            R"({"check":"c","verdict":"warning","found":"f","advice":"do","hosts":["n0","n1"]})");
}

TEST(Judge, Memlock) {
  EXPECT_EQ(judge_memlock(std::nullopt, true).verdict, Verdict::ok);
  EXPECT_EQ(judge_memlock(100 * gib, true).verdict, Verdict::ok);
  EXPECT_EQ(judge_memlock(8 << 20, true).verdict, Verdict::warning);
  EXPECT_EQ(judge_memlock(8 << 20, false).verdict, Verdict::ok);
  EXPECT_EQ(judge_memlock(64 << 10, false).verdict, Verdict::warning);
}

TEST(Judge, HugePages) {
  const std::string meminfo = "HugePages_Total:       3\nHugepagesize:       2048 kB\n";
  EXPECT_EQ(judge_huge_pages("always [madvise] never\n", meminfo).found,
            "transparent: madvise; reserved: 3 of 2 MiB");
  EXPECT_EQ(judge_huge_pages("always madvise [never]\n", meminfo).verdict, Verdict::warning);
  EXPECT_EQ(judge_huge_pages("", "").verdict, Verdict::warning);
}

TEST(Judge, SharedMemory) {
  EXPECT_EQ(judge_shared_memory(16 * gib, 15 * gib, 8).verdict, Verdict::ok);
  EXPECT_EQ(judge_shared_memory(16 * gib, gib, 8).verdict, Verdict::warning);
  EXPECT_EQ(judge_shared_memory(64 << 20, 64 << 20, 8).verdict, Verdict::problem) << "a container's default";
  EXPECT_EQ(judge_shared_memory(64 << 20, 64 << 20, 1).verdict, Verdict::warning);
}

TEST(Judge, ScratchAndOpenFiles) {
  EXPECT_EQ(judge_scratch("/tmp", 10 * gib).verdict, Verdict::ok);
  EXPECT_EQ(judge_scratch("/tmp", gib).verdict, Verdict::warning);
  EXPECT_EQ(judge_scratch("/tmp", 1 << 20).verdict, Verdict::problem);
  EXPECT_EQ(judge_open_files(1024).verdict, Verdict::warning);
  EXPECT_EQ(judge_open_files(65536).verdict, Verdict::ok);
}

TEST(Judge, Cgroup) {
  EXPECT_EQ(judge_cgroup({}, 64 * gib, 8).found, "no limits");
  EXPECT_EQ(judge_cgroup({16 * gib, std::nullopt}, 64 * gib, 8).verdict, Verdict::ok);
  EXPECT_EQ(judge_cgroup({gib, std::nullopt}, 64 * gib, 8).verdict, Verdict::warning);
  EXPECT_THAT(judge_cgroup({std::nullopt, 1.5}, 64 * gib, 8).advice, HasSubstr("at most 1 of them"));
  EXPECT_EQ(judge_cgroup({std::nullopt, 8.0}, 64 * gib, 8).verdict, Verdict::ok);
}

TEST(Judge, Threads) {
  EXPECT_EQ(judge_threads(8, 4, 2).verdict, Verdict::ok);
  EXPECT_EQ(judge_threads(8, 4, 0).verdict, Verdict::ok);
  EXPECT_THAT(judge_threads(8, 4, 8).advice, HasSubstr("at most 2"));
  EXPECT_EQ(judge_threads(2, 4, 1).verdict, Verdict::warning);
}

TEST(Judge, ProcessorAndIoUring) {
  const Finding modern =
      judge_processor("model name\t: Some Xeon\nflags\t\t: fpu avx2 avx512f avx512_bf16 amx_tile amx_bf16\n");
  EXPECT_EQ(modern.found, "Some Xeon; AVX2, AVX-512, AVX-512 bf16, AMX, AMX bf16");
  EXPECT_EQ(judge_processor("Features\t: fp asimd sve bf16\n").found, "model not known; NEON, SVE, Arm bf16");
  EXPECT_EQ(judge_processor("flags : sse2\n").verdict, Verdict::warning);
  EXPECT_EQ(judge_io_uring(0).verdict, Verdict::ok);
  EXPECT_THAT(judge_io_uring(EPERM).advice, HasSubstr("io_uring_disabled"));
  EXPECT_THAT(judge_io_uring(ENOSYS).advice, HasSubstr("this kernel has none"));
}

TEST(Judge, GpuStack) {
  const std::vector<Gpu> one = {{"0000:3b:00.0", "NVIDIA H100", "", 0}};
  EXPECT_EQ(judge_driver("", 0, {}).verdict, Verdict::ok);
  EXPECT_THAT(judge_driver("", 2, {}).found, HasSubstr("2 NVIDIA devices are"));
  EXPECT_EQ(judge_driver("580.65.06", 1, one).found, "580.65.06; 1 usable GPU (NVIDIA H100)");
  EXPECT_EQ(judge_driver("550.90", 1, one).verdict, Verdict::warning);
  EXPECT_THAT(judge_driver("580.65.06", 1, {}).advice, HasSubstr("CUDA_VISIBLE_DEVICES"));
  EXPECT_EQ(judge_nccl(22803, true).found, "2.28.3");
  EXPECT_EQ(judge_nccl(22203, true).verdict, Verdict::warning);
  EXPECT_EQ(judge_nccl(std::nullopt, true).verdict, Verdict::warning);
  EXPECT_EQ(judge_nccl(std::nullopt, false).verdict, Verdict::ok);
  EXPECT_EQ(judge_gds("2.26", "/lib/libcufile.so.0", true).verdict, Verdict::ok);
  EXPECT_EQ(judge_gds("", "/lib/libcufile.so.0", true).verdict, Verdict::warning);
  EXPECT_THAT(judge_gds("2.26", "/lib/libcufile.so.0", true).found, HasSubstr("meet directly"));
  EXPECT_THAT(judge_gds("2.26", "/lib/libcufile.so.0", true, "overlay").found,
              HasSubstr("scratch: overlay; drives and GPUs meet in host memory"));
  EXPECT_EQ(judge_gds("2.26", "", true).verdict, Verdict::warning);
  EXPECT_EQ(judge_gds("", "", false).verdict, Verdict::ok);
  EXPECT_EQ(file_system_of("/dev/shm"), "tmpfs");
}

TEST(Judge, MpiTransports) {
  EXPECT_EQ(transport_of_file("mca_pml_ucx.so"), "pml ucx");
  EXPECT_EQ(transport_of_file("mca_coll_tuned.so"), "");
  EXPECT_EQ(transport_of_file("mca_btl_tcp.la"), "");
  EXPECT_EQ(judge_transports({"pml ob1", "btl tcp"}, {}, false).verdict, Verdict::ok);
  EXPECT_THAT(judge_transports({"pml ob1"}, {"pml ucx"}, true).advice, HasSubstr("--mca pml ucx"));
  EXPECT_THAT(judge_transports({"pml ob1"}, {"pml ob1"}, true).advice, HasSubstr("built with UCX"));
  EXPECT_EQ(judge_transports({"pml ucx"}, {}, true).verdict, Verdict::ok);
  EXPECT_EQ(judge_thread_level(MPI_THREAD_MULTIPLE).verdict, Verdict::ok);
  EXPECT_EQ(judge_thread_level(MPI_THREAD_FUNNELED).verdict, Verdict::problem);
}

TEST(Judge, LauncherAndNetwork) {
  EXPECT_EQ(describe_launcher({}, 1).found, "none: a single process");
  EXPECT_EQ(describe_launcher({{"OMPI_COMM_WORLD_SIZE", "4"},
                               {"PMIX_VERSION", "4.2.2"},
                               {"SLURM_JOB_ID", "7"},
                               {"SLURM_STEP_ID", "0"}},
                              4)
                .found,
            "mpirun, 4 ranks, PMIx 4.2.2, in Slurm job 7");
  Node node;
  EXPECT_EQ(judge_network(node, 1).verdict, Verdict::ok);
  EXPECT_EQ(judge_network(node, 2).verdict, Verdict::warning);
  node.interfaces = {{"eth0", "10.0.0.1", 25, false, 0}, {"eth1", "10.0.1.1", 0, false, 0}};
  EXPECT_EQ(judge_network(node, 2).found, "eth0 25 Gbit/s, eth1 (speed not known)");
}

TEST(Clocks, QuickestAnswerCounts) {
  // Their clock is 5 s ahead; one answer was slow on the way back.
  const ClockOffset offset = estimate_offset("b", {{100.0, 105.1, 101.0}, {200.0, 205.001, 200.002}});
  EXPECT_NEAR(offset.seconds, 5.0, 1e-9);
  EXPECT_NEAR(offset.uncertainty, 0.001, 1e-9);
  EXPECT_EQ(judge_clocks({offset}).verdict, Verdict::warning);
  EXPECT_EQ(judge_clocks({{"b", 0.0004, 0.0001}, {"c", -0.02, 0.001}}).found,
            "c differs by -20.000 ms (± 1.000 ms)");
  EXPECT_EQ(judge_clocks({{"b", 0.5, 0.45}}).verdict, Verdict::ok) << "a slow link proves nothing";
  EXPECT_EQ(judge_clocks({}).verdict, Verdict::ok);
}

TEST(TopologyText, ShowsNodesAndRanks) {
  EXPECT_EQ(ranges({5, 0, 2, 1}), "0-2,5");
  EXPECT_EQ(ranges({}), "");
  Topology topology = Topology::ragged({2, 1});
  topology.nodes[0].numa = {{0, 8, {10, 21}}, {1, 8, {21, 10}}};
  topology.nodes[0].gpus = {{"0000:3b:00.0", "NVIDIA H100", "", 1}};
  topology.nodes[0].interfaces = {{"eth0", "10.0.0.1", 25, false, 0}};
  topology.ranks[0].cores = {0, 1, 2, 3};
  topology.ranks[0].numa = {0};
  topology.ranks[0].gpu = 0;
  const std::string text = describe(topology);
  EXPECT_THAT(text,
              HasSubstr("3 ranks on 2 nodes (2+1)\n  node 0: n0, 16 cores in 2 NUMA nodes, boot boot-0\n"));
  EXPECT_THAT(text, HasSubstr("eth0 10.0.0.1, 25 Gbit/s\n    GPU 0000:3b:00.0 NVIDIA H100, NUMA 1\n"));
  EXPECT_THAT(text, HasSubstr("rank 0: 4 cores (0-3), NUMA 0, GPU 0000:3b:00.0 at distance 21\n"));
}

}  // namespace
}  // namespace trireme::comm::doctor
