#include <chrono>
#include <thread>

#include <gmock/gmock.h>

#include "core/device_kernels.h"
#include "core/error.h"
#include "tests/cuda/double_world.h"
#include "tests/nccl_double/host_compute.h"

namespace trireme::tests {
namespace {

using testing::HasSubstr;

class DeviceOverDouble : public DoubleWorld {};

TEST_F(DeviceOverDouble, SaysWhatItIs) {
  EXPECT_EQ(plugin_.device_count(), 1);
  EXPECT_EQ(device_->info().pci_id, "0000:a0:00.0");
  EXPECT_EQ(device_->info().major, 9);
  EXPECT_GT(device_->memory().free_bytes, 0u);
  int local = 0;
  const Buffer pinned = device_->allocate_pinned(8), own = device_->allocate(8);
  EXPECT_TRUE(device_->reaches(pinned.data()));
  EXPECT_TRUE(device_->reaches(own.data()));
  EXPECT_FALSE(device_->reaches(&local));
}

TEST_F(DeviceOverDouble, StreamsWaitForEachOthersEvents) {
  constexpr std::size_t bytes = 1 << 16;
  const Buffer in = device_->allocate_pinned(bytes), middle = device_->allocate(bytes),
               out = device_->allocate_pinned(bytes);
  const auto up = device_->make_stream(Priority::high), down = device_->make_stream();
  const auto uploaded = device_->make_event(), done = device_->make_event();
  EXPECT_TRUE(done->ready()) << "an event that was never recorded holds nobody up";
  for (unsigned char value = 1; value < 20; ++value) {
    for (unsigned char& byte : values<unsigned char>(in)) byte = value;
    up->copy(middle.data(), in.data(), bytes);
    up->record(*uploaded);
    down->wait(*uploaded);
    down->copy(out.data(), middle.data(), bytes);
    down->record(*done);
    while (!done->ready()) std::this_thread::yield();
    ASSERT_EQ(values<unsigned char>(out)[bytes - 1], value);
  }
  EXPECT_GE(done->milliseconds_since(*uploaded), 0.0);
  up->finish();
}

TEST_F(DeviceOverDouble, AStreamWaitsForAHostLane) {
  HostFlag flag(*device_);
  const auto stream = device_->make_stream();
  const auto passed = device_->make_event();
  const Buffer word = device_->allocate(4);
  for (std::uint32_t turn = 1; turn < 4; ++turn) {
    stream->wait(flag, turn);
    stream->fill(word.data(), static_cast<unsigned char>(turn), 4);
    stream->record(*passed);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_FALSE(passed->ready());
    flag.advance_to(turn);
    stream->finish();
    EXPECT_TRUE(passed->ready());
    EXPECT_EQ(values<std::uint32_t>(word)[0], turn * 0x01010101u);
    EXPECT_EQ(flag.value(), turn);
  }
}

TEST_F(DeviceOverDouble, HavingToWaitIsNoFailureOfTheNextKernel) {
  HostFlag flag(*device_);
  const auto waiting = device_->make_stream(), tensors = device_->make_stream();
  const auto passed = device_->make_event();
  const Buffer number = device_->allocate(sizeof(float));
  tensors->use_for_tensors();
  waiting->wait(flag, 1);
  waiting->record(*passed);
  EXPECT_FALSE(passed->ready());
  EXPECT_NO_THROW(device_->kernels().make_splittable(number.as<float>(), 1));
  flag.advance_to(1);
  waiting->finish();
}

TEST_F(DeviceOverDouble, AThreadNeedNotHaveSetItsDevice) {
  const auto stream = device_->make_stream();
  const auto passed = device_->make_event();
  const Buffer own = device_->allocate(8);
  stream->record(*passed);
  std::thread([&] {
    while (!passed->ready()) std::this_thread::yield();
  }).join();
  std::thread([&] { EXPECT_TRUE(device_->reaches(own.data())); }).join();
}

TEST_F(DeviceOverDouble, AStreamThatIsGoneIsNoThreadsOwn) {
  auto stream = device_->make_stream();
  stream->use_for_tensors();
  ASSERT_EQ(host_tensor_stream(0), stream->handle());
  const auto other = device_->make_stream();
  stream.reset();
  EXPECT_EQ(host_tensor_stream(0), nullptr);
}

TEST_F(DeviceOverDouble, TakesWhatTensorsKeepForLater) {
  static bool full;
  full = true;
  cuda::Apis apis = host_apis();
  static const auto allocate = apis.cuda.malloc;
  apis.cuda.malloc = [](void** data, std::size_t bytes) {
    return full ? cudaErrorMemoryAllocation : allocate(data, bytes);
  };
  apis.release_unused_tensor_memory = [] { full = false; };
  cuda::CudaPlugin plugin(apis);
  const auto device = plugin.open(0);
  EXPECT_TRUE(device->holds(device->allocate(8).data()));
}

TEST_F(DeviceOverDouble, AFullDeviceSaysHowFullItIs) {
  try {
    static_cast<void>(device_->allocate(std::size_t{1} << 41));
    FAIL() << "2 TiB were given out";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    EXPECT_THAT(error.what(), HasSubstr("no room for 2 TiB: 8 GiB of 16 GiB are free"));
  }
}

void expect_refusal(int devices, cudaError_t error, int driver, const char* words) {
  host_cuda_show(devices, error, driver);
  try {
    const cuda::CudaPlugin plugin(host_apis());
    ADD_FAILURE() << "the plugin opened";
  } catch (const Error& refusal) {
    EXPECT_EQ(refusal.code(), ExitCode::configuration);
    EXPECT_THAT(refusal.what(), HasSubstr(words));
  }
  host_cuda_show(1, cudaSuccess, 13000);
}

TEST_F(DeviceOverDouble, WithoutDriverOrDeviceThereIsOneSentence) {
  expect_refusal(0, cudaErrorInsufficientDriver, 0, "no GPU driver is loaded");
  expect_refusal(0, cudaErrorInsufficientDriver, 12040,
                 "the GPU driver knows CUDA 12.4 and trireme was built for CUDA 13");
  expect_refusal(0, cudaErrorNoDevice, 13000, "the driver shows none");
  expect_refusal(0, cudaSuccess, 13000, "the driver shows none");
  EXPECT_THROW(static_cast<void>(plugin_.open(1)), Error);
}

}  // namespace
}  // namespace trireme::tests
