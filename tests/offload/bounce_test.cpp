#include <numeric>

#include <gmock/gmock.h>

#include "core/error.h"
#include "offload/host/pinned_source.h"
#include "offload/nvme/engine.h"
#include "tests/comm/pretend_device.h"
#include "tests/offload/scratch.h"

namespace trireme::offload {
namespace {

using testing::HasSubstr;
using tests::Scratch;
using trireme::tests::PretendDevice;

class Bounce : public testing::TestWithParam<const char*> {
 protected:
  /// The device's memory faults wherever the host or its kernel touches it.
  PretendDevice device;
  std::unique_ptr<Backend> backend(std::uint32_t block_bytes = usual_block_bytes) {
    return make_backend(GetParam(), 4, &device, device.allocate_pinned(meeting_bytes(4, block_bytes)));
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, Bounce, testing::Values("io_uring", "threads"));

TEST_P(Bounce, MovesWhatTheHostCannotTouch) {
  const Scratch scratch;
  constexpr std::size_t bytes = 5'000'003;
  const Buffer own = device.allocate(bytes);
  const auto stream = device.make_stream(Priority::normal);
  std::vector<std::byte> truth(bytes), back(bytes);
  for (std::size_t i = 0; i < bytes; ++i) truth[i] = static_cast<std::byte>(i * i >> 7);
  Engine engine(backend(3 << 20), {.block_bytes = 3 << 20});
  EXPECT_EQ(engine.backend(), std::string(GetParam()) + "+bounce");
  const Volume volume({scratch.make("a"), scratch.make("b")}, bytes, {.stripe = 256 << 10});
  engine.register_volume(volume);
  EXPECT_FALSE(engine.register_memory({own.as<std::byte>(), bytes}));
  const std::span<std::byte> mine(own.as<std::byte>(), bytes);
  for (const std::size_t begin : {std::size_t{0}, std::size_t{4096}, std::size_t{777}}) {
    stream->copy(own.data(), truth.data(), bytes);
    engine.write(volume, begin, mine.subspan(begin)).wait();
    stream->fill(own.data(), 0, bytes);
    engine.read(volume, begin, mine.subspan(begin)).wait();
    stream->copy(back.data(), own.data(), bytes);
    EXPECT_TRUE(std::equal(truth.begin() + static_cast<std::ptrdiff_t>(begin), truth.end(),
                           back.begin() + static_cast<std::ptrdiff_t>(begin)))
        << begin;
  }
  engine.forget_volume(volume);
}

TEST_P(Bounce, LeavesTheHostsOwnMemoryAlone) {
  const Scratch scratch;
  constexpr std::size_t bytes = 1 << 20;
  const Buffer memory = LockedPages({}).reserve(bytes);
  std::fill_n(memory.as<char>(), bytes, 'x');
  Engine engine(backend());
  const Volume volume({scratch.path()}, bytes);
  engine.write(volume, 0, {memory.as<std::byte>(), bytes}).wait();
  std::fill_n(memory.as<char>(), bytes, 'y');
  engine.read(volume, 0, {memory.as<std::byte>(), bytes}).wait();
  EXPECT_EQ(std::count(memory.as<char>(), memory.as<char>() + bytes, 'x'), 1 << 20);
}

TEST(MakeBackend, ADeviceWithoutAWayToTheDrivesBounces) {
  PretendDevice device;
  const auto backend = make_backend("auto", 4, &device, device.allocate_pinned(meeting_bytes(4)));
  EXPECT_THAT(std::string(backend->name()), HasSubstr("+bounce"));
  try {
    make_backend("cufile", 4, &device);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_THAT(error.what(), HasSubstr("has no way to the drives"));
  }
}

}  // namespace
}  // namespace trireme::offload
