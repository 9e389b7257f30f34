#include "tests/cuda/staged_world.h"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

namespace trireme::tests {
namespace {

using comm::Call;

struct Range {
  std::byte* first = nullptr;
  std::size_t bytes = 0;
  std::byte* last() const { return first + bytes; }
  bool overlaps(const Range& other) const {
    return bytes > 0 && other.bytes > 0 && first < other.last() && other.first < last();
  }
};

Range range(const void* data, std::size_t elements, DType dtype) {
  return {static_cast<std::byte*>(const_cast<void*>(data)), elements * size_of(dtype)};
}

std::pair<Range, Range> ranges_of(const Call& call, int rank) {
  switch (call.kind) {
    case Call::Kind::all_gather:
      return {range(call.in, call.shards.count(rank), call.dtype),
              range(call.out, call.shards.total(), call.dtype)};
    case Call::Kind::reduce_scatter:
      return {range(call.in, call.shards.total(), call.dtype),
              range(call.out, call.shards.count(rank), call.dtype)};
    case Call::Kind::all_to_all:
      return {range(call.in, call.shards.total(), call.dtype),
              range(call.out, call.received.total(), call.dtype)};
    case Call::Kind::barrier:
      return {};
    default:
      return {range(call.in, call.in ? call.count : 0, call.dtype),
              range(call.out, call.out ? call.count : 0, call.dtype)};
  }
}

class StagedCommunicator final : public comm::Communicator {
 public:
  StagedCommunicator(std::unique_ptr<comm::Communicator> inner, Device& device, int world_rank,
                     comm::CommunicatorOptions options)
      : Communicator(inner->group(), world_rank, std::move(options)),
        device_(device),
        inner_(dynamic_cast<comm::DeviceCommunicator&>(*inner)),
        owner_(std::move(inner)),
        stream_(device.make_stream()),
        ready_(device.make_event()),
        done_(device.make_event()) {}
  ~StagedCommunicator() override { lane_.drain(); }

  std::string_view backend() const override { return inner_.backend(); }
  Buffer allocate(std::size_t bytes) override { return device_.allocate_pinned(bytes); }

 protected:
  void execute(const Call& call) override {
    const comm::Traffic before = inner_.traffic();
    const auto [in, out] = ranges_of(call, rank());
    Range whole = in;
    if (in.overlaps(out)) {
      whole.first = std::min(in.first, out.first);
      whole.bytes = static_cast<std::size_t>(std::max(in.last(), out.last()) - whole.first);
    }
    std::byte* device_in = place(0, whole);
    std::byte* device_out = in.overlaps(out) ? device_in + (out.first - whole.first) : place(1, out);
    device_in += in.first - whole.first;
    copy(device_in, in.first, in.bytes);
    copy(device_out, out.first, out.bytes);
    Call there = call;
    if (call.in) there.in = device_in;
    if (call.out) there.out = device_out;
    turn_++ % 2 ? follow_by_streams(there) : follow_on_host(there);
    copy(out.first, device_out, out.bytes);
    stream_->finish();
    const comm::Traffic after = inner_.traffic();
    count_traffic(after.inside_node - before.inside_node, after.across_nodes - before.across_nodes);
  }

 private:
  void copy(void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) stream_->copy(to, from, bytes);
  }

  void follow_on_host(const Call& call) {
    stream_->finish();
    inner_.run(call);
  }

  void follow_by_streams(const Call& call) {
    stream_->record(*ready_);
    const std::array<const DeviceEvent*, 1> after{ready_.get()};
    inner_.enqueue(call, after, *done_);
    while (!done_->ready()) {
      inner_.check();
      std::this_thread::yield();
    }
    inner_.check();
    stream_->wait(*done_);
  }

  /// Keeps the alignment that the host memory has.
  std::byte* place(std::size_t which, const Range& range) {
    constexpr std::size_t alignment = 256;
    Buffer& stage = stages_[which];
    if (stage.bytes() < range.bytes + alignment) {
      stage.reset();
      stage = inner_.allocate(std::max<std::size_t>(2 * (range.bytes + alignment), std::size_t{1} << 20));
    }
    return stage.as<std::byte>() + reinterpret_cast<std::uintptr_t>(range.first) % alignment;
  }

  Device& device_;
  comm::DeviceCommunicator& inner_;
  std::unique_ptr<comm::Communicator> owner_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<DeviceEvent> ready_, done_;
  std::array<Buffer, 2> stages_;
  unsigned turn_ = 0;
};

}  // namespace

std::unique_ptr<comm::Communicator> StagedWorld::communicator(const comm::Group& group,
                                                              std::string_view backend,
                                                              comm::CommunicatorOptions options) {
  auto inner = inner_.communicator(group, backend, options);
  return std::make_unique<StagedCommunicator>(std::move(inner), device_, rank(), std::move(options));
}

}  // namespace trireme::tests
