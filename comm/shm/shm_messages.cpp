#include <algorithm>

#include "comm/shm/shm_communicator.h"
#include "comm/simd/copy.h"
#include "core/error.h"

// Messages between two ranks. The sender returns when the receiver has the data; both count the chunks of all
// their messages so far.
namespace trireme::comm {
namespace {

bool same_message(const Descriptor& offered, const Descriptor& wanted) {
  return offered.elements == wanted.elements && offered.dtype == wanted.dtype;
}

std::uint32_t chunks_of(const Descriptor& offered, std::size_t chunk) {
  const std::size_t bytes = offered.elements * size_of(offered.dtype);
  return offered.in.known()
             ? 1
             : static_cast<std::uint32_t>(std::max<std::size_t>((bytes + chunk - 1) / chunk, 1));
}

[[noreturn]] void refuse(const std::string& name, const Descriptor& offered, int from,
                         const Descriptor& wanted, int to) {
  fail(ExitCode::internal, "group '{}': rank {} sends {} {} but rank {} receives {} {}", name, from,
       offered.elements, name_of(offered.dtype), to, wanted.elements, name_of(wanted.dtype));
}

}  // namespace

void ShmCommunicator::await_message(Flag& flag, std::uint32_t count, const Call& call) {
  try {
    if (rounds_.wait(flag, count, call.peer, deadline_)) return;
    fail_timeout(call,
                 fmt::format("rank {} has not come", group().ranks[static_cast<std::size_t>(call.peer)]));
  } catch (...) {
    broken_ = true;
    rounds_.give_up();
    throw;
  }
}

void ShmCommunicator::send(const Call& call) {
  Channel& channel = rounds_.channel(rank(), call.peer);
  const std::size_t bytes = call.count * size_of(call.dtype), chunk = rounds_.layout().channel_chunk();
  channel.offered = describe(call);
  channel.offered.in = place(call.in, bytes);
  std::uint32_t& count = sent_[static_cast<std::size_t>(call.peer)];
  const std::uint32_t start = count, chunks = chunks_of(channel.offered, chunk);
  const auto check = [&] {
    if (channel.taken.reached(start + 1) && !same_message(channel.offered, channel.wanted)) {
      channel.sent.raise(count = start + chunks);
      refuse(name(), channel.offered, group().ranks[static_cast<std::size_t>(rank())], channel.wanted,
             group().ranks[static_cast<std::size_t>(call.peer)]);
    }
  };
  for (std::uint32_t next = 0; next < chunks; ++next) {
    if (next >= 2) await_message(channel.taken, start + next - 1, call);
    check();
    if (!channel.offered.in.known()) {
      const std::size_t done = next * chunk;
      simd::copy(rounds_.channel_data(rank(), call.peer, next & 1),
                 static_cast<const std::byte*>(call.in) + done, std::min(chunk, bytes - done));
    }
    channel.sent.raise(++count);
  }
  await_message(channel.taken, start + chunks, call);
  check();
}

void ShmCommunicator::receive(const Call& call) {
  Channel& channel = rounds_.channel(call.peer, rank());
  const std::size_t bytes = call.count * size_of(call.dtype), chunk = rounds_.layout().channel_chunk();
  std::uint32_t& count = taken_[static_cast<std::size_t>(call.peer)];
  const std::uint32_t start = count;
  await_message(channel.sent, start + 1, call);
  channel.wanted = describe(call);
  const Descriptor offered = channel.offered;
  const std::uint32_t chunks = chunks_of(offered, chunk);
  if (!same_message(offered, channel.wanted)) {
    channel.taken.raise(count = start + chunks);
    refuse(name(), offered, group().ranks[static_cast<std::size_t>(call.peer)], channel.wanted,
           group().ranks[static_cast<std::size_t>(rank())]);
  }
  if (offered.in.known()) {
    simd::copy(call.out, heap_->resolve(offered.in), bytes);
    channel.taken.raise(++count);
    return;
  }
  for (std::uint32_t next = 0; next < chunks; ++next) {
    await_message(channel.sent, start + next + 1, call);
    const std::size_t done = next * chunk;
    simd::copy(static_cast<std::byte*>(call.out) + done, rounds_.channel_data(call.peer, rank(), next & 1),
               std::min(chunk, bytes - done));
    channel.taken.raise(++count);
  }
}

}  // namespace trireme::comm
