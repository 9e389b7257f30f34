#include <algorithm>

#include "comm/shm/shm_communicator.h"
#include "comm/simd/copy.h"
#include "comm/simd/limits.h"
#include "comm/simd/reduce.h"
#include "comm/traffic.h"

// Data that lie in shared memory on all ranks: each byte is copied once, from where it is to where it goes.
namespace trireme::comm {
namespace {

/// Ranks of a node may gather into one buffer that they share; it is then written once.
std::vector<Reference> distinct(std::span<const Reference> places) {
  std::vector<Reference> found;
  for (const Reference& place : places)
    if (std::find(found.begin(), found.end(), place) == found.end()) found.push_back(place);
  return found;
}

}  // namespace

void ShmCommunicator::gather_directly(const Call& call) {
  const std::size_t width = size_of(call.dtype), own_bytes = call.shards.count(rank()) * width;
  const std::size_t own_offset = call.shards.offset(rank()) * width;
  const bool outs_known =
      std::all_of(outs_.begin(), outs_.end(), [](const Reference& out) { return out.known(); });
  const bool one_out = outs_known && distinct(outs_).size() == 1;
  const bool ins_known =
      std::all_of(ins_.begin(), ins_.end(), [](const Reference& in) { return in.known(); });
  // Too large for the caches as a whole, it goes around them in every part, and all ranks read the same shard
  // at a time, so that memory delivers it once.
  const bool past_caches = !one_out && 2 * call.shards.total() * width >= limits::streamed_bytes;
  const auto copy = [past_caches](std::byte* to, const void* from, std::size_t bytes) {
    if (to != from) (past_caches ? simd::copy_past_caches : simd::copy)(to, from, bytes);
  };
  const bool together = ins_known && past_caches;
  std::byte* out = static_cast<std::byte*>(call.out);
  if (!together) copy(out + own_offset, call.in, own_bytes);
  for (int step = together ? 0 : 1; step < size() && !one_out; ++step) {
    const int other = together ? step : (rank() + step) % size();
    if (other == rank()) {
      copy(out + own_offset, call.in, own_bytes);
    } else if (ins_known) {
      copy(out + call.shards.offset(other) * width, heap_->resolve(ins_[static_cast<std::size_t>(other)]),
           call.shards.count(other) * width);
    } else {
      std::byte* theirs = heap_->resolve(outs_[static_cast<std::size_t>(other)]) + own_offset;
      if (theirs != out + own_offset) copy(theirs, call.in, own_bytes);
    }
  }
  rounds_.open();
  meet(call);
}

void ShmCommunicator::all_reduce_directly(const Call& call) {
  const std::size_t width = size_of(call.dtype);
  const Shards pieces = all_reduce_pieces(call.count, call.dtype, size());
  const std::size_t offset = pieces.offset(rank()) * width;
  sources_.clear();
  for (const Reference& in : ins_) sources_.push_back(heap_->resolve(in) + offset);
  targets_.clear();
  for (const Reference& out : distinct(outs_)) targets_.push_back(heap_->resolve(out) + offset);
  simd::reduce(sources_, targets_, pieces.count(rank()), call.dtype, call.reduction);
  rounds_.open();
  meet(call);
}

}  // namespace trireme::comm
