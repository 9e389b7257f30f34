#include "cuda/nccl_communicator.h"

#include <thread>
#include <utility>

#include "core/error.h"
#include "cuda/check.h"
#include "cuda/nccl_calls.h"
#include "cuda/nccl_traffic.h"

namespace trireme::cuda {

using comm::Call;

NcclCommunicator::NcclCommunicator(const Apis& apis, CudaDevice& device, std::shared_ptr<NcclMemory> memory,
                                   std::unique_ptr<NcclComm> comm, comm::Group group, int world_rank,
                                   std::vector<int> node_of_member, comm::CommunicatorOptions options)
    : DeviceCommunicator(std::move(group), world_rank, std::move(options)),
      apis_(apis),
      device_(device),
      memory_(std::move(memory)),
      comm_(std::move(comm)),
      registrations_(std::make_unique<NcclRegistrations>(apis.nccl, *comm_)),
      node_of_member_(std::move(node_of_member)),
      stream_(apis, device, Priority::high),
      coder_(apis, device, stream_),
      done_(apis.cuda, device.index()),
      scratch_(device.allocate(sizeof(std::int32_t))) {
  stream_.fill(scratch_.data(), 0, scratch_.bytes());
  stream_.finish();
  memory_->attach(*registrations_);
}

NcclCommunicator::~NcclCommunicator() {
  lane_.drain();
  memory_->detach(*registrations_);
  registrations_.reset();
  // Frees NCCL's side first: giving up is what ends a stuck kernel, and the stream's destructor waits for the
  // stream.
  comm_.reset();
}

void NcclCommunicator::refuse_host_memory(const Call& call) const {
  const auto refuse = [&](const void* address, std::size_t elements) {
    if (elements == 0 || device_.reaches(address)) return;
    fail(ExitCode::internal,
         "group '{}': {} was given host memory, which NCCL cannot reach; use a buffer of the device", name(),
         call.describe());
  };
  switch (call.kind) {
    case Call::Kind::all_gather:
      refuse(call.in, call.shards.count(rank()));
      return refuse(call.out, call.shards.total());
    case Call::Kind::reduce_scatter:
      refuse(call.in, call.shards.total());
      return refuse(call.out, call.shards.count(rank()));
    case Call::Kind::all_to_all:
      refuse(call.in, call.shards.total());
      return refuse(call.out, call.received.total());
    case Call::Kind::send:
      return refuse(call.in, call.count);
    case Call::Kind::all_reduce:
      refuse(call.in, call.count);
      [[fallthrough]];
    case Call::Kind::broadcast:
    case Call::Kind::receive:
      return refuse(call.out, call.count);
    case Call::Kind::barrier:
      return;
  }
}

void NcclCommunicator::fail_given_up(const Call& call) const {
  fail(ExitCode::requeue, "group '{}': {} refused, since the group was given up after an earlier failure",
       name(), call.describe());
}

void NcclCommunicator::launch(const Call& call) {
  if (comm_->broken()) fail_given_up(call);
  device_.use();
  const NcclRegistrations::DuringCall during(*registrations_);
  try {
    issue(apis_, call, {rank(), size(), comm_->get(), stream_.stream(), scratch_.data()});
    const comm::Traffic traffic = ring_traffic(call, rank(), node_of_member_);
    count_traffic(traffic.inside_node, traffic.across_nodes);
    const auto deadline = Clock::now() + options().time_limit;
    // Nothing else may go into the stream before: what NCCL has begun is not there yet.
    for (unsigned poll = 1; !comm_->settled(name_of(call.kind)); ++poll) {
      if (poll % 64 != 0) continue;
      if (Clock::now() > deadline) {
        registrations_->give_up();
        fail_timeout(call, "NCCL could not launch it, because a rank of the group has not called it");
      }
      std::this_thread::yield();
    }
  } catch (const Error&) {
    // What NCCL has taken in part cannot be taken back.
    if (!comm_->broken()) registrations_->give_up();
    throw;
  }
}

void NcclCommunicator::execute(const Call& call) {
  refuse_host_memory(call);
  launch(call);
  stream_.record(done_);
  wait_for_done(call);
}

void NcclCommunicator::refuse_failure(const Call& call) {
  try {
    comm_->settled(name_of(call.kind));
  } catch (const Error&) {
    registrations_->give_up();
    throw;
  }
}

void NcclCommunicator::wait_for_done(const Call& call) {
  device_.count_stream_wait();
  const auto deadline = Clock::now() + options().time_limit;
  for (unsigned poll = 1; !done_.ready(); ++poll) {
    if (poll % 64 != 0) continue;
    refuse_failure(call);
    if (Clock::now() > deadline) {
      registrations_->give_up();
      fail_timeout(call, "a rank of the group has not called it, or its GPU has stopped");
    }
    std::this_thread::yield();
  }
  // A call that NCCL broke off comes to its end on the stream as well.
  refuse_failure(call);
}

std::unique_ptr<CudaEvent> NcclCommunicator::spare_event() {
  if (spare_events_.empty()) return std::make_unique<CudaEvent>(apis_.cuda, device_.index());
  auto event = std::move(spare_events_.back());
  spare_events_.pop_back();
  return event;
}

void NcclCommunicator::enqueue(const Call& call, std::span<const DeviceEvent* const> after,
                               DeviceEvent& done) {
  lane_.run([&] {
    std::lock_guard lock(mutex_);
    call.check(rank(), size());
    refuse_host_memory(call);
    InFlight flight{call, begin_call(), spare_event(), spare_event()};
    for (const DeviceEvent* event : after) stream_.wait(*event);
    stream_.record(*flight.begun);
    launch(call);
    stream_.record(*flight.ended);
    stream_.record(done);
    in_flight_.push_back(std::move(flight));
  });
}

void NcclCommunicator::check() {
  std::lock_guard lock(mutex_);
  check_in_flight();
}

void NcclCommunicator::check_in_flight() {
  comm::CallObserver* observer = options().observer.get();
  while (!in_flight_.empty()) {
    InFlight& flight = in_flight_.front();
    if (comm_->broken()) fail_given_up(flight.call);
    if (!flight.begun->ready()) return;
    if (flight.deadline == Clock::time_point::max()) {
      flight.deadline = Clock::now() + options().time_limit;
      if (observer) observer->began(*this, flight.call, flight.sequence);
    }
    const bool ended = flight.ended->ready();
    refuse_failure(flight.call);
    if (!ended) {
      if (Clock::now() <= flight.deadline) return;
      registrations_->give_up();
      fail_timeout(flight.call, "a rank of the group has not called it, or its GPU has stopped",
                   flight.sequence);
    }
    if (observer) observer->ended(*this, flight.call, flight.sequence);
    spare_events_.push_back(std::move(flight.begun));
    spare_events_.push_back(std::move(flight.ended));
    in_flight_.pop_front();
  }
}

}  // namespace trireme::cuda
