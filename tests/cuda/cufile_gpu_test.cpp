#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/plugin.h"
#include "offload/nvme/engine.h"
#include "tests/offload/scratch.h"

namespace trireme::offload {
namespace {

/// Over NVIDIA's own libraries.
class CufileGpu : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    try {
      device = open_device_plugin().open(0);
      backend = make_backend(GetParam(), 8, device.get(), device->allocate_pinned(meeting_bytes(8)));
    } catch (const Error& missing) {
      GTEST_SKIP() << missing.what();
    }
  }
  std::unique_ptr<Device> device;
  std::unique_ptr<Backend> backend;
};
INSTANTIATE_TEST_SUITE_P(Backends, CufileGpu, testing::Values("cufile", "auto", "io_uring", "threads"));

TEST_P(CufileGpu, ReadsBackWhatItWroteInAnyPieces) {
  constexpr std::size_t bytes = 24'000'001;
  const tests::Scratch scratch;
  const Buffer own = device->allocate(bytes), there = device->allocate_pinned(bytes),
               back = device->allocate_pinned(bytes);
  const auto stream = device->make_stream();
  const Volume volume({scratch.make("a"), scratch.make("b")}, bytes, {.stripe = 1 << 20});
  const std::string name(backend->name());
  Engine engine(std::move(backend), {.block_bytes = 1 << 20});
  engine.register_volume(volume);
  engine.register_memory({own.as<std::byte>(), bytes});
  std::mt19937 random(3);
  for (std::size_t i = 0; i < bytes; ++i) there.as<unsigned char>()[i] = static_cast<unsigned char>(random());
  const std::span<std::byte> mine(own.as<std::byte>(), bytes);
  for (const std::size_t begin : {std::size_t{0}, std::size_t{1} << 20, std::size_t{4097}}) {
    stream->copy(own.data(), there.data(), bytes);
    stream->finish();
    engine.write(volume, begin, mine.subspan(begin)).wait();
    stream->fill(own.data(), 0, bytes);
    stream->finish();
    engine.read(volume, begin, mine.subspan(begin)).wait();
    stream->copy(back.data(), own.data(), bytes);
    stream->finish();
    EXPECT_TRUE(std::equal(there.as<char>() + begin, there.as<char>() + bytes, back.as<char>() + begin))
        << name << " from " << begin;
  }
  engine.forget_memory({own.as<std::byte>(), bytes});
  engine.forget_volume(volume);
}

}  // namespace
}  // namespace trireme::offload
