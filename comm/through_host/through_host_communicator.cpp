#include "comm/through_host/through_host_communicator.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "comm/through_host/through_host_world.h"

namespace trireme::comm {
namespace {

void wait_for(const DeviceEvent& event) {
  while (!event.ready()) std::this_thread::yield();
}

std::size_t longest(const std::vector<Piece>& pieces) {
  std::size_t bytes = 0;
  for (const Piece& piece : pieces) bytes = std::max({bytes, piece.in_bytes, piece.out_bytes});
  return bytes;
}

}  // namespace

ThroughHostCommunicator::ThroughHostCommunicator(std::unique_ptr<Communicator> carrier, Device& device,
                                                 int world_rank, std::size_t piece_bytes,
                                                 CommunicatorOptions options)
    : DeviceCommunicator(carrier->group(), world_rank, std::move(options)),
      device_(device),
      carrier_(std::move(carrier)),
      piece_bytes_(piece_bytes),
      inward_(device.make_stream()),
      outward_(device.make_stream()),
      order_(device.make_stream()),
      coder_(device.make_coder(*inward_)),
      carried_(device) {
  for (Stage& stage : stages_) stage.filled = device.make_event(), stage.emptied = device.make_event();
  grow_stages(piece_bytes);
}

void ThroughHostCommunicator::reserve(std::size_t bytes) {
  if (bytes <= stage_bytes_) return;
  lane_.drain();
  grow_stages(bytes);
}

void ThroughHostCommunicator::grow_stages(std::size_t bytes) {
  if (bytes <= stage_bytes_) return;
  for (Stage& stage : stages_)
    for (Buffer* buffer : {&stage.in, &stage.out}) {
      buffer->reset();
      *buffer = device_.allocate_pinned(bytes);
    }
  stage_bytes_ = bytes;
}

void ThroughHostCommunicator::fill(Stage& stage, const Piece& piece) {
  auto* host = stage.in.as<std::byte>();
  for (const StagedRange& range : piece.in) inward_->copy(host + range.stage, range.device, range.bytes);
  inward_->record(*stage.filled);
}

void ThroughHostCommunicator::move(Stage& stage, const Piece& piece) {
  wait_for(*stage.emptied);
  Call call = piece.call;
  if (call.kind == Call::Kind::broadcast) {
    // One vector, which the root gives and the others get.
    call.out = stage.in.data();
    call.in = call.out;
  } else {
    if (piece.in_bytes > 0) call.in = stage.in.data();
    if (piece.out_bytes > 0) call.out = stage.out.data();
  }
  carrier_->run(call);
}

void ThroughHostCommunicator::empty(Stage& stage, const Piece& piece) {
  const Buffer& from = piece.call.kind == Call::Kind::broadcast ? stage.in : stage.out;
  for (const StagedRange& range : piece.out)
    outward_->copy(range.device, from.as<std::byte>() + range.stage, range.bytes);
  outward_->record(*stage.emptied);
}

void ThroughHostCommunicator::execute(const Call& call) {
  const Traffic before = carrier_->traffic();
  const std::vector<Piece> pieces = pieces_of(call, rank(), piece_bytes_);
  grow_stages(longest(pieces));
  fill(stages_[0], pieces[0]);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Stage &stage = stages_[i % 2], &next = stages_[(i + 1) % 2];
    wait_for(*stage.filled);
    if (i + 1 < pieces.size()) {
      if (call.kind == Call::Kind::broadcast) wait_for(*next.emptied);
      fill(next, pieces[i + 1]);
    }
    move(stage, pieces[i]);
    empty(stage, pieces[i]);
  }
  outward_->finish();
  const Traffic after = carrier_->traffic();
  count_traffic(after.inside_node - before.inside_node, after.across_nodes - before.across_nodes);
}

void ThroughHostCommunicator::enqueue(const Call& call, std::span<const DeviceEvent* const> after,
                                      DeviceEvent& done) {
  std::lock_guard lock(mutex_);
  check_in_flight();
  // Whoever pins memory may have to wait for the device, which must not be waiting for this call then.
  reserve(longest(pieces_of(call, rank(), piece_bytes_)));
  for (const DeviceEvent* event : after) order_->wait(*event);
  const std::shared_ptr<DeviceEvent> begun = device_.make_event();
  order_->record(*begun);
  const Event may_begin = lane_.post([begun] { wait_for(*begun); });
  in_flight_.push_back(post(call, {may_begin}));
  // After a call that failed too: `check` tells of it, the stream must not hang.
  lane_.post([this, turn = ++queued_] { carried_.advance_to(turn); });
  order_->wait(carried_, queued_);
  order_->record(done);
}

void ThroughHostCommunicator::check() {
  std::lock_guard lock(mutex_);
  check_in_flight();
}

void ThroughHostCommunicator::check_in_flight() {
  for (const Event& event : in_flight_)
    if (event.ready()) event.wait();
  std::erase_if(in_flight_, [](const Event& event) { return event.ready(); });
}

std::unique_ptr<Communicator> ThroughHostWorld::communicator(const Group& group, std::string_view backend,
                                                             CommunicatorOptions options) {
  CommunicatorOptions inner;
  inner.name = options.name, inner.time_limit = options.time_limit;
  return std::make_unique<ThroughHostCommunicator>(hosts_.communicator(group, backend, inner), device_,
                                                   rank(), piece_bytes_, std::move(options));
}

}  // namespace trireme::comm
