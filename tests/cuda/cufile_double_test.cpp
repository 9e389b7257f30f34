#include "tests/cufile_double/cufile_double.h"

#include <array>
#include <cstring>
#include <thread>

#include <gmock/gmock.h>

#include "core/error.h"
#include "cuda/cufile_driver.h"
#include "offload/bench/drive_bench.h"
#include "offload/host/pinned_source.h"
#include "offload/nvme/engine.h"
#include "tests/cuda/cufile_site.h"
#include "tests/nccl_double/host_cuda.h"
#include "tests/offload/backends_under_test.h"
#include "tests/offload/scratch.h"

namespace trireme::tests {
namespace {

using offload::Engine;
using offload::Volume;
using offload::tests::Scratch;
using testing::AllOf;
using testing::HasSubstr;

constexpr std::size_t bytes = 384 << 10, tail = 1000;
constexpr std::uint32_t block = 64 << 10;
constexpr long blocks = bytes / block;

/// Two drives, a volume with a tail, and device memory; every test ends with nothing left registered and
/// nothing done that the strict double minds.
class Cufile : public testing::Test {
 protected:
  void SetUp() override {
    cufile_double_reset();
    pretend_nvidia_fs("2.26.6");
    device_with_cufile();
    alive_ = host_cuda_alive();
  }
  void TearDown() override {
    cufile_double_arm(CufileFault::none, 0, 0);
    const CufileCounts counts = cufile_double_counts();
    EXPECT_EQ(counts.misuses, 0) << cufile_double_misuse();
    EXPECT_EQ(counts.files + counts.memories + counts.streams + counts.opens, 0);
    EXPECT_EQ(host_cuda_alive(), alive_);
    EXPECT_EQ(take_misuses(), std::vector<std::string>{});
  }
  std::size_t alive_ = 0;
};

struct Bench {
  explicit Bench(const char* backend = "cufile")
      : engine(backend_with_cufile(backend), {.block_bytes = block}) {
    engine.register_volume(volume);
    engine.register_memory(memory());
    for (std::size_t i = 0; i < bytes + tail; ++i) out.as<char>()[i] = static_cast<char>(i * i >> 5);
  }
  std::span<std::byte> memory() const { return {out.as<std::byte>(), bytes + tail}; }
  Event write() { return engine.write(volume, 0, memory()); }
  Event read() { return engine.read(volume, 0, {back.as<std::byte>(), bytes + tail}); }
  void there_and_back() {
    write().wait();
    read().wait();
    EXPECT_TRUE(std::equal(memory().begin(), memory().end(), back.as<std::byte>()));
  }
  Scratch scratch;
  Volume volume{{scratch.make("a"), scratch.make("b")}, bytes + tail, {.stripe = 128 << 10}};
  Buffer out = device_with_cufile().allocate(bytes + tail),
         back = device_with_cufile().allocate(bytes + tail);
  Engine engine;
};

TEST_F(Cufile, WholeSectorsGoDirectlyAndTheTailDoesNot) {
  Bench bench;
  EXPECT_EQ(bench.engine.backend(), "cufile");
  EXPECT_EQ(cufile_double_counts().files, 2);
  EXPECT_EQ(cufile_double_counts().memories, 1);
  EXPECT_EQ(cufile_double_counts().streams, 4);
  bench.there_and_back();
  const CufileCounts counts = cufile_double_counts();
  EXPECT_EQ(counts.writes, blocks);
  EXPECT_EQ(counts.reads, blocks);
  EXPECT_EQ(counts.unregistered, blocks) << "what is read into is not registered";
  EXPECT_EQ(bench.engine.counters().plain, 2u) << "the tails";
  EXPECT_LE(counts.most_under_way, 4);
}

TEST_F(Cufile, RequestsAreUnderWayTogether) {
  Bench bench;
  bench.there_and_back();
  EXPECT_GT(cufile_double_counts().most_under_way, 1);
}

TEST_F(Cufile, ForgottenFilesAndMemoryGoByOtherWays) {
  Bench bench;
  bench.engine.forget_memory(bench.memory());
  EXPECT_EQ(cufile_double_counts().memories, 0);
  bench.engine.forget_volume(bench.volume);
  EXPECT_EQ(cufile_double_counts().files, 0);
  bench.there_and_back();
  EXPECT_EQ(cufile_double_counts().writes, 0);
}

TEST_F(Cufile, HostMemoryGoesPastIt) {
  Bench bench;
  const Buffer host = offload::LockedPages({}).reserve(bytes);
  const std::span memory(host.as<std::byte>(), bytes);
  const auto beside = offload::make_backend("auto", 4);
  EXPECT_EQ(bench.engine.register_memory(memory), beside->register_memory(memory));
  EXPECT_EQ(cufile_double_counts().memories, 1) << "the device's alone";
  std::copy_n(bench.out.as<std::byte>(), bytes, host.as<std::byte>());
  bench.engine.write(bench.volume, 0, {host.as<std::byte>(), bytes}).wait();
  bench.engine.read(bench.volume, 0, {bench.back.as<std::byte>(), bytes}).wait();
  EXPECT_TRUE(std::equal(host.as<std::byte>(), host.as<std::byte>() + bytes, bench.back.as<std::byte>()));
  EXPECT_EQ(cufile_double_counts().writes, 0);
  bench.engine.forget_memory(memory);
  beside->forget_memory(memory);
}

/// The thread that asks for it goes on at once, and so do transfers that wait for nothing.
TEST_F(Cufile, ATransferBeginsWhenTheDeviceHasPassedItsPoint) {
  // Fewer blocks than may be on their way.
  constexpr std::size_t some = 2 * block;
  for (const char* backend : {"cufile", "threads"}) {
    Bench bench(backend);
    const std::unique_ptr<Stream> stream = device_with_cufile().make_stream();
    const std::unique_ptr<DeviceEvent> point = device_with_cufile().make_event();
    HostFlag go(device_with_cufile());
    bench.write().wait();
    stream->wait(go, 1);
    stream->fill(bench.out.data(), 7, some);
    stream->record(*point);
    const Event written = bench.engine.write(bench.volume, 0, bench.memory().first(some), *point);
    if (std::string_view(backend) == "cufile") {
      bench.read().wait();
      EXPECT_FALSE(written.ready());
    }
    go.advance_to(1);
    written.wait();
    const std::span back(bench.back.as<std::byte>(), some);
    const auto holds = [&](int value) {
      return std::ranges::all_of(back, [&](std::byte each) { return each == std::byte(value); });
    };
    std::memset(back.data(), 1, some);
    stream->wait(go, 2);
    stream->record(*point);
    const Event read = bench.engine.read(bench.volume, 0, back, *point);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(read.ready()) << backend;
    EXPECT_TRUE(holds(1)) << backend;
    go.advance_to(2);
    read.wait();
    EXPECT_TRUE(holds(7)) << backend;
  }
}

TEST_F(Cufile, AShortTransferIsContinuedAtEveryCompletion) {
  for (const std::int64_t moved : {512, 65535})
    for (long victim = 0; victim < 2 * blocks; ++victim) {
      cufile_double_reset();
      Bench bench;
      cufile_double_arm(CufileFault::result, victim, moved);
      bench.there_and_back();
      EXPECT_EQ(bench.engine.counters().resumed, 1u);
    }
}

/// The error of the transfer that the victim is part of.
std::string failure(Bench& bench, ExitCode& code) {
  for (const bool write : {true, false}) {
    try {
      (write ? bench.write() : bench.read()).wait();
    } catch (const Error& error) {
      code = error.code();
      return error.what();
    }
  }
  return "no error";
}

TEST_F(Cufile, ABrokenDriveEndsItsTransferAtEveryCompletion) {
  const std::pair<std::int64_t, const char*> results[] = {
      {-1, "Input/output error"},
      {-ENODEV, "No such device"},
      {-5036, "cuFile: GPU memory cannot be pinned (5036)"}};
  for (const auto& [result, words] : results)
    for (long victim = 0; victim < 2 * blocks; ++victim) {
      cufile_double_reset();
      Bench bench;
      cufile_double_arm(CufileFault::result, victim, result);
      ExitCode code{};
      EXPECT_THAT(failure(bench, code),
                  AllOf(HasSubstr(words), HasSubstr(victim < blocks ? "write of 65536" : "read of 65536"),
                        HasSubstr("trireme-spill.")));
      EXPECT_EQ(code, ExitCode::requeue);
      bench.there_and_back();
    }
}

TEST_F(Cufile, AFullDriveSaysWhatToDoAtEveryCompletion) {
  for (long victim = 0; victim < blocks; ++victim) {
    cufile_double_reset();
    Bench bench;
    cufile_double_arm(CufileFault::result, victim, -ENOSPC);
    ExitCode code{};
    EXPECT_THAT(failure(bench, code), HasSubstr("free some space or name another folder"));
    EXPECT_EQ(code, ExitCode::configuration);
  }
}

TEST_F(Cufile, WhatIsNotTakenEndsItsTransfer) {
  for (long victim = 0; victim < 2 * blocks; ++victim) {
    cufile_double_reset();
    Bench bench;
    cufile_double_arm(CufileFault::submit, victim, 5011);
    ExitCode code{};
    EXPECT_THAT(failure(bench, code), HasSubstr("cuFile: the GPU's driver failed (5011)"));
    bench.there_and_back();
  }
}

TEST_F(Cufile, OutOfMemoryForNowIsTriedAgain) {
  for (const CufileFault fault : {CufileFault::result, CufileFault::submit}) {
    Bench bench;
    cufile_double_arm(fault, 3, fault == CufileFault::result ? -5043 : 5043);
    bench.there_and_back();
    EXPECT_EQ(bench.engine.counters().resumed, 1u);
    cufile_double_reset();
  }
}

TEST_F(Cufile, AFileThatTurnsOutUnsupportedGoesByTheHost) {
  for (const int code : {5008, 5038})
    for (const CufileFault fault : {CufileFault::result, CufileFault::submit})
      for (long victim = 0; victim < 2 * blocks; ++victim) {
        cufile_double_reset();
        Bench bench;
        cufile_double_arm(fault, victim, fault == CufileFault::result ? -code : code);
        bench.there_and_back();
        EXPECT_LE(cufile_double_counts().writes + cufile_double_counts().reads,
                  fault == CufileFault::submit ? 2 * blocks - 1 : 2 * blocks);
      }
}

TEST_F(Cufile, RefusedRegistrationsCostSpeedAlone) {
  cufile_double_arm(CufileFault::file, 1, 5008);
  {
    Bench bench;
    EXPECT_EQ(cufile_double_counts().files, 1) << "the second drive goes by the host";
    bench.there_and_back();
  }
  cufile_double_arm(CufileFault::memory, -1, 5036);
  {
    Bench bench;
    bench.there_and_back();
  }
  cufile_double_arm(CufileFault::stream, 2, 5000);
  Bench bench;
  bench.there_and_back();
}

TEST_F(Cufile, ADeviceThatFailsEndsWhatIsUnderWay) {
  Bench bench;
  bench.there_and_back();
  host_cuda_break(true);
  ExitCode code{};
  EXPECT_THAT(failure(bench, code), HasSubstr("failed: "));
  host_cuda_break(false);
}

/// Whoever waits may have done nothing else on the device.
TEST_F(Cufile, LanesAreLookedAfterFromAnyThread) {
  const Scratch scratch;
  const Volume volume({scratch.path()}, block);
  const Buffer memory = device_with_cufile().allocate(block);
  auto rest = offload::make_backend("threads", 1);
  const auto backend = device_with_cufile().make_storage(1, Detour::refused, rest);
  ASSERT_TRUE(backend->register_file(volume.file(0).direct()));
  host_cuda_break(true);
  backend->submit(
      std::array{offload::Request{volume.file(0).direct(), true, 0, memory.as<std::byte>(), block, 5}});
  offload::Completion done;
  std::thread([&] { EXPECT_EQ(backend->wait({&done, 1}), 1u); }).join();
  host_cuda_break(false);
  EXPECT_EQ(done.tag, 5u);
  EXPECT_EQ(done.result, -ENODEV);
}

ExitCode refusal_of(const char* backend, std::string& words) {
  try {
    words = backend_with_cufile(backend)->name();
    return ExitCode::done;
  } catch (const Error& error) {
    words = error.what();
    return error.code();
  }
}

TEST_F(Cufile, ADriverThatDoesNotOpenIsRefusedOrGoneAround) {
  std::string words;
  cufile_double_arm(CufileFault::driver, -1, 5007);
  EXPECT_EQ(refusal_of("cufile", words), ExitCode::configuration);
  EXPECT_THAT(words, HasSubstr("cuFile: this machine has no GPUDirect Storage (5007)"));
  EXPECT_EQ(refusal_of("auto", words), ExitCode::done);
  EXPECT_THAT(words, HasSubstr("+bounce"));
}

TEST_F(Cufile, ADriverThatNeverOpensHasATimeLimit) {
  cufile_double_arm(CufileFault::slow_driver, 0, 300);
  const auto& apis = apis_with_cufile();
  try {
    const cuda::CufileDriver driver(apis.cuda, apis.storage.load(), 0, std::chrono::milliseconds(30));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("has not opened in 0.03 s"));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(apis.storage.load().driver_close().code, 0) << "the late one";
}

TEST_F(Cufile, WithoutTheKernelModuleItIsAskedForByNameAlone) {
  std::string words;
  pretend_nvidia_fs("");
  EXPECT_EQ(refusal_of("auto", words), ExitCode::done);
  EXPECT_THAT(words, HasSubstr("+bounce"));
  EXPECT_EQ(refusal_of("cufile", words), ExitCode::done);
  EXPECT_EQ(words, "cufile") << "in compatibility mode";
  cufile_double_allow_detours(false);
  EXPECT_EQ(refusal_of("cufile", words), ExitCode::configuration);
  EXPECT_THAT(words, HasSubstr("modprobe nvidia-fs"));
}

TEST_F(Cufile, AMissingLibraryIsOneSentence) {
  for (const char* library : {"libno_such_cufile.so.0", "libm.so.6"}) {
    try {
      cuda::load_cufile(library);
      FAIL() << library;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::configuration);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(library), HasSubstr("nvidia-cufile")));
    }
  }
}

TEST_F(Cufile, TheBenchmarkSetsDirectAgainstBounce) {
  const Scratch scratch;
  const offload::bench::DriveOptions options{{scratch.path()},        2 << 20, {64 << 10}, {4},
                                             {"io_uring", "threads"}, 1};
  auto records = offload::bench::measure_device_drives(options, device_with_cufile());
  ASSERT_EQ(records.size(), 9u);
  EXPECT_EQ(records[0].what + records[0].backend, "gpu_to_nvmecufile");
  EXPECT_EQ(records[4].what + records[4].backend, "nvme_to_gpuio_uring+bounce");
  for (const auto& record : records) EXPECT_GT(record.percent(), 0);
  cufile_double_arm(CufileFault::driver, -1, 5007);
  records = offload::bench::measure_device_drives(options, device_with_cufile());
  ASSERT_EQ(records.size(), 7u);
  EXPECT_THAT(records[0].missing, HasSubstr("5007"));
}

}  // namespace
}  // namespace trireme::tests
