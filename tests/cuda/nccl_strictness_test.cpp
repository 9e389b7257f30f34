#include <chrono>
#include <thread>

#include <gmock/gmock.h>

#include "core/error.h"
#include "tests/cuda/double_world.h"

namespace trireme::tests {
namespace {

using comm::Call;
using comm::Reduction;
using comm::Shards;
using testing::Contains;
using testing::HasSubstr;

/// What happens when ranks do not do what they should: the backend ends in time, and the double sees what
/// real NCCL would hang on.
class NcclStrictness : public DoubleWorld {
 protected:
  comm::CommunicatorOptions hasty() const {
    comm::CommunicatorOptions options;
    options.name = "hasty";
    options.time_limit = std::chrono::milliseconds(300);
    return options;
  }
  template <typename Work>
  ExitCode code_of(const Work& work, const char* words = "") {
    try {
      work();
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(words));
      return error.code();
    }
    return ExitCode::done;
  }
};

TEST_F(NcclStrictness, ARankThatNeverComesIsGivenUpInTime) {
  if (size() == 1) GTEST_SKIP() << "one rank waits for nobody";
  const auto meeting = communicator();
  const auto all = communicator(everyone(), hasty());
  const Buffer data = device_->allocate(4000);
  meeting->barrier();
  all->barrier();
  if (rank() > 0) {
    const auto began = std::chrono::steady_clock::now();
    const auto reduce = [&] { all->all_reduce(data.data(), data.data(), 1000, DType::f32, Reduction::sum); };
    EXPECT_EQ(
        code_of(reduce, "group 'hasty': all_reduce of 1000 f32 (operation 1) did not finish within 300 ms"),
        ExitCode::hang);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
    EXPECT_EQ(code_of(reduce, "given up"), ExitCode::requeue);
  }
  meeting->barrier();
}

TEST_F(NcclStrictness, AnEnqueuedCallThatNobodyJoinsIsFoundByAsking) {
  if (size() == 1) GTEST_SKIP() << "one rank waits for nobody";
  const auto meeting = communicator();
  const auto all = communicator(everyone(), hasty());
  const Buffer data = device_->allocate(4000);
  const auto done = device_->make_event();
  if (rank() > 0) {
    all->enqueue(Call::broadcast(data.data(), 1000, DType::f32, 0), {}, *done);
    EXPECT_EQ(code_of(
                  [&] {
                    while (!done->ready()) all->check();
                  },
                  "broadcast of 1000 f32 (operation 0)"),
              ExitCode::hang);
  }
  meeting->barrier();
}

TEST_F(NcclStrictness, TimeSpentWaitingForOtherStreamsIsNotHeldAgainstACall) {
  const auto all = communicator(everyone(), hasty());
  const Buffer data = all->allocate(4);
  const auto compute = device_->make_stream();
  const auto ready = device_->make_event(), done = device_->make_event();
  HostFlag go(*device_);
  compute->wait(go, 1);
  compute->record(*ready);
  const DeviceEvent* const after[] = {ready.get()};
  all->enqueue(Call::broadcast(data.data(), 1, DType::i32, 0), after, *done);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(600);
  while (std::chrono::steady_clock::now() < until) EXPECT_NO_THROW(all->check());
  EXPECT_FALSE(done->ready());
  all->drain();
  go.advance_to(1);
  while (!done->ready()) all->check();
}

TEST_F(NcclStrictness, CallsThatDifferAreNamed) {
  if (size() == 1) GTEST_SKIP() << "one rank agrees with itself";
  comm::CommunicatorOptions patient;
  patient.time_limit = std::chrono::seconds(60);
  const auto all = communicator(everyone(), patient);
  const Buffer data = device_->allocate(4000);
  const std::size_t count = rank() == 0 ? 7 : 8;
  EXPECT_NE(code_of([&] { all->all_reduce(data.data(), data.data(), count, DType::f32, Reduction::sum); }),
            ExitCode::done);
  EXPECT_THAT(take_misuses(), Contains(HasSubstr("AllReduce of 7")));
}

TEST_F(NcclStrictness, ARingOfLoneSendsDeadlocks) {
  if (size() == 1) GTEST_SKIP() << "a ring needs two";
  const auto meeting = communicator();
  const auto all = communicator(everyone(), hasty());
  const Buffer data = device_->allocate(4000);
  EXPECT_EQ(code_of([&] {
              all->send(data.data(), 10, DType::f32, (rank() + 1) % size());
              all->receive(data.data(), 10, DType::f32, (rank() + size() - 1) % size());
            }),
            ExitCode::hang);
  meeting->barrier();
}

TEST_F(NcclStrictness, HostMemoryIsRefusedBeforeNcclSeesIt) {
  const auto all = communicator();
  std::vector<float> mine(10);
  EXPECT_EQ(code_of([&] { all->all_reduce(mine.data(), mine.data(), 10, DType::f32, Reduction::sum); },
                    "host memory"),
            ExitCode::internal);
  all->barrier();
}

TEST_F(NcclStrictness, RangesPastTheirBlockAreFound) {
  const auto all = communicator();
  const Buffer data = device_->allocate(40);
  EXPECT_NE(code_of([&] { all->broadcast(data.data(), 11, DType::f32, 0); }), ExitCode::done);
  EXPECT_THAT(take_misuses(), Contains(HasSubstr("outside of device memory")));
}

TEST_F(NcclStrictness, TheDoubleSeesWorkThatOvertakesALateLaunch) {
  const cuda::Apis& apis = host_apis();
  const auto stream = device_->make_stream();
  const auto event = device_->make_event();
  const Buffer data = device_->allocate(40);
  ncclUniqueId id{};
  if (rank() == 0) apis.nccl.get_unique_id(&id);
  comm::meet_over_mpi(mpi_).broadcast_from_first(&id, sizeof id);
  ncclComm_t comm = nullptr;
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  ASSERT_EQ(apis.nccl.comm_init_rank_config(&comm, size(), id, rank(), &config), ncclInProgress);
  const auto broadcast = [&] {
    return apis.nccl.broadcast(data.data(), data.data(), 10, ncclFloat32, 0, comm,
                               static_cast<cudaStream_t>(stream->handle()));
  };
  EXPECT_EQ(broadcast(), ncclInvalidUsage) << "a call before the communicator is there";
  EXPECT_THAT(take_misuses(), Contains(HasSubstr("has not settled")));
  const auto settle = [&] {
    ncclResult_t state = ncclInProgress;
    while (state == ncclInProgress) apis.nccl.comm_get_async_error(comm, &state);
    return state;
  };
  ASSERT_EQ(settle(), ncclSuccess);
  EXPECT_EQ(broadcast(), ncclInProgress);
  stream->record(*event);
  EXPECT_THAT(take_misuses(), Contains(HasSubstr("before NCCL's call")));
  EXPECT_EQ(settle(), ncclSuccess);
  stream->finish();
  apis.nccl.comm_destroy(comm);
  EXPECT_THAT(take_misuses(), Contains(HasSubstr("ncclCommDestroy before ncclCommFinalize")));
  EXPECT_EQ(broadcast(), ncclInvalidArgument) << "a call after the end";
  EXPECT_THAT(take_misuses(), Contains(HasSubstr("not alive")));
}

}  // namespace
}  // namespace trireme::tests
