#include <array>
#include <vector>

#include "comm/through_host/through_host_world.h"
#include "tests/cuda/double_world.h"

namespace trireme::tests {
namespace {

using comm::Call;
using comm::Shards;

/// Device memory over the host's, with pieces much shorter than the calls.
class ThroughHost : public DoubleWorld {
 protected:
  void SetUp() override {
    DoubleWorld::SetUp();
    through_ = std::make_unique<comm::ThroughHostWorld>(mpi_, *device_, 4096);
    made_ = through_->communicator(everyone(), "mpi", {});
  }
  void TearDown() override {
    made_.reset();
    DoubleWorld::TearDown();
  }
  comm::DeviceCommunicator& streams() { return dynamic_cast<comm::DeviceCommunicator&>(*made_); }
  void wait_for(const DeviceEvent& done) {
    while (!done.ready()) streams().check();
  }

  std::unique_ptr<comm::ThroughHostWorld> through_;
  std::unique_ptr<comm::Communicator> made_;
};

/// The double tells of memory that is taken while a stream waits for the host.
TEST_F(ThroughHost, NothingIsPinnedWhileAStreamWaitsForTheHost) {
  constexpr std::size_t count = 10000;
  const Buffer values = device_->allocate(count * sizeof(float)),
               blocks = device_->allocate(count * sizeof(float)),
               received = device_->allocate(count * sizeof(float));
  for (float& value : this->values<float>(values)) value = static_cast<float>(rank() + 1);
  for (float& value : this->values<float>(blocks)) value = static_cast<float>(rank());
  streams().reserve(count * sizeof(float));
  HostFlag gate(*device_);
  const auto stream = device_->make_stream();
  const auto opened = device_->make_event(), summed = device_->make_event(), sent = device_->make_event();
  stream->wait(gate, 1);
  stream->record(*opened);
  const std::array<const DeviceEvent*, 1> after{opened.get()};
  const std::size_t each = count / static_cast<std::size_t>(size());
  streams().enqueue(Call::all_reduce(values.data(), values.data(), count, DType::f32, comm::Reduction::sum),
                    after, *summed);
  streams().enqueue(Call::all_to_all(blocks.data(), received.data(), Shards::even(each, size()),
                                     Shards::even(each, size()), DType::f32),
                    {}, *sent);
  gate.advance_to(1);
  wait_for(*sent);
  EXPECT_TRUE(summed->ready());
  EXPECT_EQ(this->values<float>(values).back(), static_cast<float>(size() * (size() + 1) / 2));
  for (int from = 0; from < size(); ++from)
    EXPECT_EQ(this->values<float>(received)[static_cast<std::size_t>(from) * each], static_cast<float>(from));
}

TEST_F(ThroughHost, ALongerCallThanWasForeseenTakesItsMemoryBeforeAnythingWaits) {
  constexpr std::size_t each = 5000;
  const std::size_t count = each * static_cast<std::size_t>(size());
  const Buffer values = device_->allocate(count * sizeof(float)),
               received = device_->allocate(count * sizeof(float));
  for (float& value : this->values<float>(values)) value = static_cast<float>(rank() + 1);
  const auto first = device_->make_event(), second = device_->make_event();
  for (DeviceEvent* done : {first.get(), second.get()})
    streams().enqueue(Call::all_to_all(values.data(), received.data(), Shards::even(each, size()),
                                       Shards::even(each, size()), DType::f32),
                      {}, *done);
  wait_for(*second);
  EXPECT_EQ(this->values<float>(received).back(), static_cast<float>(size()));
}

}  // namespace
}  // namespace trireme::tests
