#include <algorithm>

#include "comm/shm/shm_communicator.h"
#include "comm/simd/copy.h"
#include "comm/simd/reduce.h"

// Data that lie in private memory: they pass through the slots of the control memory, a slot at a time.
namespace trireme::comm {
namespace {

std::size_t elements_a_slot(DType dtype, std::size_t pieces) {
  return std::max<std::size_t>(ControlLayout::slot_data_bytes / pieces / 64 * 64 / size_of(dtype), 1);
}

/// How much of `count` is left after `done`, at most `most`.
std::size_t part(std::size_t count, std::size_t done, std::size_t most) {
  return done >= count ? 0 : std::min(count - done, most);
}

}  // namespace

void ShmCommunicator::gather_in_rounds(const Call& call) {
  const std::size_t width = size_of(call.dtype), step = elements_a_slot(call.dtype, 1);
  const auto* in = static_cast<const std::byte*>(call.in);
  auto* out = static_cast<std::byte*>(call.out);
  std::size_t largest = 0;
  for (int member = 0; member < size(); ++member) largest = std::max(largest, call.shards.count(member));
  for (std::size_t done = 0; done < largest; done += step) {
    rounds_.open();
    simd::copy(rounds_.data(rank()), in + done * width, part(call.shards.count(rank()), done, step) * width);
    meet(call);
    for (int other = 0; other < size(); ++other)
      if (other != rank())
        simd::copy(out + (call.shards.offset(other) + done) * width, rounds_.data(other),
                   part(call.shards.count(other), done, step) * width);
  }
  copy_own_shard(call);
}

void ShmCommunicator::reduce_scatter_in_rounds(const Call& call) {
  const std::size_t width = size_of(call.dtype),
                    step = elements_a_slot(call.dtype, static_cast<std::size_t>(size()));
  const auto* in = static_cast<const std::byte*>(call.in);
  std::size_t largest = 0;
  for (int member = 0; member < size(); ++member) largest = std::max(largest, call.shards.count(member));
  for (std::size_t done = 0; done < largest; done += step) {
    rounds_.open();
    for (int to = 0; to < size(); ++to)
      if (to != rank())
        simd::copy(rounds_.data(rank()) + static_cast<std::size_t>(to) * step * width,
                   in + (call.shards.offset(to) + done) * width,
                   part(call.shards.count(to), done, step) * width);
    meet(call);
    if (const std::size_t count = part(call.shards.count(rank()), done, step); count > 0)
      simd::reduce(staged(static_cast<std::size_t>(rank()) * step * width,
                          in + (call.shards.offset(rank()) + done) * width),
                   static_cast<std::byte*>(call.out) + done * width, count, call.dtype, call.reduction);
  }
}

void ShmCommunicator::all_reduce_in_rounds(const Call& call) {
  const std::size_t width = size_of(call.dtype), step = elements_a_slot(call.dtype, 1);
  const auto* in = static_cast<const std::byte*>(call.in);
  auto* out = static_cast<std::byte*>(call.out);
  for (std::size_t done = 0; done < call.count; done += step) {
    const Shards pieces = Shards::cut(part(call.count, done, step), size(), 64 / width);
    const std::size_t own = (done + pieces.offset(rank())) * width;
    rounds_.open();
    simd::copy(rounds_.data(rank()), in + done * width, pieces.total() * width);
    meet(call);
    if (pieces.count(rank()) > 0)
      simd::reduce(staged(pieces.offset(rank()) * width, in + own), out + own, pieces.count(rank()),
                   call.dtype, call.reduction);
    rounds_.open();
    simd::copy(rounds_.data(rank()), out + own, pieces.count(rank()) * width);
    meet(call);
    for (int other = 0; other < size(); ++other)
      if (other != rank())
        simd::copy(out + (done + pieces.offset(other)) * width, rounds_.data(other),
                   pieces.count(other) * width);
  }
}

void ShmCommunicator::broadcast_in_rounds(const Call& call) {
  const std::size_t width = size_of(call.dtype), step = elements_a_slot(call.dtype, 1);
  const bool root = rank() == call.peer;
  for (std::size_t done = 0; done < call.count; done += step) {
    const std::size_t bytes = part(call.count, done, step) * width;
    rounds_.open();
    if (root) simd::copy(rounds_.data(rank()), static_cast<const std::byte*>(call.in) + done * width, bytes);
    meet(call);
    if (!root) simd::copy(static_cast<std::byte*>(call.out) + done * width, rounds_.data(call.peer), bytes);
  }
}

void ShmCommunicator::all_to_all_in_rounds(const Call& call, std::size_t largest) {
  const std::size_t width = size_of(call.dtype),
                    step = elements_a_slot(call.dtype, static_cast<std::size_t>(size()));
  const auto* in = static_cast<const std::byte*>(call.in);
  auto* out = static_cast<std::byte*>(call.out);
  for (std::size_t done = 0; done < largest; done += step) {
    rounds_.open();
    for (int to = 0; to < size(); ++to)
      simd::copy(rounds_.data(rank()) + static_cast<std::size_t>(to) * step * width,
                 in + (call.shards.offset(to) + done) * width,
                 part(call.shards.count(to), done, step) * width);
    meet(call);
    for (int from = 0; from < size(); ++from)
      simd::copy(out + (call.received.offset(from) + done) * width,
                 rounds_.data(from) + static_cast<std::size_t>(rank()) * step * width,
                 part(call.received.count(from), done, step) * width);
  }
}

}  // namespace trireme::comm
