#include "comm/shm/shm_communicator.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/ranges.h>

#include "comm/shm/limits.h"
#include "comm/simd/copy.h"
#include "comm/simd/reduce.h"
#include "comm/traffic.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

std::uint64_t digest_of(const Shards& shards) {
  std::uint64_t digest = static_cast<std::uint64_t>(shards.ranks());
  for (int rank = 0; rank < shards.ranks(); ++rank)
    digest = (digest ^ shards.count(rank)) * 0x9e3779b97f4a7c15u + (digest >> 29);
  return digest;
}

std::string sentence_of(const Descriptor& descriptor) {
  if (descriptor.kind == Call::Kind::barrier) return "barrier";
  std::string text(name_of(descriptor.kind));
  if (descriptor.kind != Call::Kind::all_to_all) text += fmt::format(" of {}", descriptor.elements);
  text += fmt::format(" {}", name_of(descriptor.dtype));
  switch (descriptor.kind) {
    case Call::Kind::reduce_scatter:
      return text + fmt::format(" ({}, shards {:x})", name_of(descriptor.reduction), descriptor.cut & 0xffff);
    case Call::Kind::all_gather:
      return text + fmt::format(" (shards {:x})", descriptor.cut & 0xffff);
    case Call::Kind::all_reduce:
      return text + fmt::format(" ({})", name_of(descriptor.reduction));
    case Call::Kind::broadcast:
      return text + fmt::format(" from root {}", descriptor.peer);
    default:
      return text;
  }
}

bool all_known(std::span<const Reference> places) {
  return std::all_of(places.begin(), places.end(), [](const Reference& place) { return place.known(); });
}

std::size_t largest_of(const Shards& shards) {
  std::size_t largest = 0;
  for (int rank = 0; rank < shards.ranks(); ++rank) largest = std::max(largest, shards.count(rank));
  return largest;
}

}  // namespace

ShmCommunicator::ShmCommunicator(ShmGround ground, Group group, int world_rank,
                                 const std::vector<int>& node_of_rank, CommunicatorOptions options)
    : Communicator(std::move(group), world_rank, std::move(options)),
      heap_(std::move(ground.heap)),
      one_heap_(ground.one_heap),
      rounds_(std::move(ground.control), ground.part_of_rank, rank(),
              ground.may_spin && !this->options().gives_way ? limits::polls_before_sleep : 1,
              heap_->sharing()),
      deadline_(this->options().time_limit),
      sent_(static_cast<std::size_t>(size())),
      taken_(static_cast<std::size_t>(size())) {
  for (const int member : this->group().ranks)
    node_of_member_.push_back(node_of_rank[static_cast<std::size_t>(member)]);
}

void ShmCommunicator::execute(const Call& call) {
  if (broken_)
    fail(ExitCode::hang, "group '{}' cannot be used any more: an earlier operation on it failed", name());
  deadline_ = Deadline(options().time_limit);
  switch (call.kind) {
    case Call::Kind::all_gather:
      all_gather(call);
      break;
    case Call::Kind::reduce_scatter:
      reduce_scatter(call);
      break;
    case Call::Kind::all_reduce:
      all_reduce(call);
      break;
    case Call::Kind::broadcast:
      broadcast(call);
      break;
    case Call::Kind::all_to_all:
      all_to_all(call);
      break;
    case Call::Kind::send:
      send(call);
      break;
    case Call::Kind::receive:
      receive(call);
      break;
    case Call::Kind::barrier:
      announce(call, 0, 0);
      break;
  }
  const Traffic sent = direct_traffic(call, rank(), node_of_member_);
  count_traffic(sent.inside_node, sent.across_nodes);
}

Descriptor ShmCommunicator::describe(const Call& call) const {
  Descriptor mine;
  mine.kind = call.kind, mine.dtype = call.dtype, mine.reduction = call.reduction, mine.peer = call.peer;
  if (call.kind == Call::Kind::all_to_all) return mine;
  mine.elements = call.elements();
  if (call.kind == Call::Kind::all_gather || call.kind == Call::Kind::reduce_scatter)
    mine.cut = digest_of(call.shards);
  return mine;
}

Reference ShmCommunicator::place(const void* data, std::size_t bytes) const {
  return one_heap_ ? heap_->find(data, bytes) : Reference{};
}

void ShmCommunicator::announce(const Call& call, std::size_t in_bytes, std::size_t out_bytes) {
  rounds_.open();
  Descriptor& mine = rounds_.descriptor(rank());
  mine = describe(call);
  mine.in = place(call.in, in_bytes);
  mine.out = place(call.out, out_bytes);
  meet_and_compare(call);
}

void ShmCommunicator::announce_inline(const Call& call, std::size_t bytes, Part unshared) {
  rounds_.open();
  rounds_.descriptor(rank()) = describe(call);
  const auto* data = static_cast<const std::byte*>(call.in);
  const std::size_t behind = unshared.begin + unshared.bytes;
  if (unshared.begin > 0) std::memcpy(rounds_.data(rank()), data, unshared.begin);
  if (bytes > behind) std::memcpy(rounds_.data(rank()) + behind, data + behind, bytes - behind);
  meet_and_compare(call);
}

void ShmCommunicator::meet(const Call& call) {
  try {
    if (rounds_.meet(deadline_)) return;
    std::vector<int> missing = rounds_.missing();
    for (int& member : missing) member = group().ranks[static_cast<std::size_t>(member)];
    rounds_.give_up();
    fail_timeout(call, fmt::format("{} {} {} not come", missing.size() == 1 ? "rank" : "ranks",
                                   fmt::join(missing, ", "), missing.size() == 1 ? "has" : "have"));
  } catch (...) {
    broken_ = true;
    rounds_.give_up();
    throw;
  }
}

void ShmCommunicator::meet_and_compare(const Call& call) {
  meet(call);
  const Descriptor& first = rounds_.descriptor(0);
  for (int other = 1; other < size(); ++other) {
    const Descriptor& theirs = rounds_.descriptor(other);
    if (theirs.agrees_with(first)) continue;
    fail(ExitCode::internal,
         "group '{}', operation {}: rank {} called {} but rank {} called {}; every rank of a group must make "
         "the same calls in the same order",
         name(), sequence() - 1, group().ranks.front(), sentence_of(first),
         group().ranks[static_cast<std::size_t>(other)], sentence_of(theirs));
  }
}

void ShmCommunicator::note_places() {
  ins_.clear(), outs_.clear();
  for (int member = 0; member < size(); ++member) {
    ins_.push_back(rounds_.descriptor(member).in);
    outs_.push_back(rounds_.descriptor(member).out);
  }
}

const ShmCommunicator::Pointers& ShmCommunicator::staged(std::size_t offset, const void* mine) {
  sources_.clear();
  for (int member = 0; member < size(); ++member)
    sources_.push_back(member == rank() ? mine : rounds_.data(member) + offset);
  return sources_;
}

void ShmCommunicator::copy_own_shard(const Call& call) const {
  const std::size_t width = size_of(call.dtype);
  std::byte* own = static_cast<std::byte*>(call.out) + call.shards.offset(rank()) * width;
  if (own != call.in) simd::copy(own, call.in, call.shards.count(rank()) * width);
}

void ShmCommunicator::all_gather(const Call& call) {
  const std::size_t width = size_of(call.dtype), mine = call.shards.count(rank()) * width;
  if (largest_of(call.shards) * width <= limits::inline_bytes) {
    announce_inline(call, mine);
    for (int other = 0; other < size(); ++other)
      if (const std::size_t bytes = call.shards.count(other) * width; bytes > 0 && other != rank())
        std::memcpy(static_cast<std::byte*>(call.out) + call.shards.offset(other) * width,
                    rounds_.data(other), bytes);
    return copy_own_shard(call);
  }
  announce(call, mine, call.shards.total() * width);
  note_places();
  if (all_known(ins_) || all_known(outs_)) return gather_directly(call);
  gather_in_rounds(call);
}

void ShmCommunicator::reduce_scatter(const Call& call) {
  const std::size_t width = size_of(call.dtype), total = call.shards.total() * width;
  const std::size_t offset = call.shards.offset(rank()) * width, count = call.shards.count(rank());
  if (total * static_cast<std::size_t>(size()) <= limits::inline_reduced_bytes) {
    announce_inline(call, total, {offset, count * width});
    return simd::reduce(staged(offset, static_cast<const std::byte*>(call.in) + offset), call.out, count,
                        call.dtype, call.reduction);
  }
  announce(call, total, 0);
  note_places();
  if (!all_known(ins_)) return reduce_scatter_in_rounds(call);
  sources_.clear();
  for (const Reference& in : ins_) sources_.push_back(heap_->resolve(in) + offset);
  simd::reduce(sources_, call.out, count, call.dtype, call.reduction);
  rounds_.open();
  meet(call);
}

void ShmCommunicator::all_reduce(const Call& call) {
  const std::size_t bytes = call.count * size_of(call.dtype);
  if (bytes * static_cast<std::size_t>(size()) <= limits::inline_reduced_bytes) {
    announce_inline(call, bytes);
    return simd::reduce(staged(0, call.in), call.out, call.count, call.dtype, call.reduction);
  }
  announce(call, bytes, bytes);
  note_places();
  if (all_known(ins_) && all_known(outs_)) return all_reduce_directly(call);
  all_reduce_in_rounds(call);
}

void ShmCommunicator::broadcast(const Call& call) {
  const std::size_t bytes = call.count * size_of(call.dtype);
  const bool root = rank() == call.peer;
  if (bytes <= limits::inline_bytes) {
    announce_inline(call, root ? bytes : 0);
    if (!root && bytes > 0) std::memcpy(call.out, rounds_.data(call.peer), bytes);
    return;
  }
  announce(call, bytes, 0);
  const Reference source = rounds_.descriptor(call.peer).in;
  if (!source.known()) return broadcast_in_rounds(call);
  const std::byte* data = heap_->resolve(source);
  if (!root && call.out != data) simd::copy(call.out, data, bytes);
  rounds_.open();
  meet(call);
}

void ShmCommunicator::all_to_all(const Call& call) {
  const std::size_t width = size_of(call.dtype), ranks = static_cast<std::size_t>(size());
  const std::size_t header = (2 * ranks * sizeof(std::uint64_t) + 63) / 64 * 64;
  const std::size_t mine = call.shards.total() * width;
  require(header < ControlLayout::slot_data_bytes, "an all_to_all over {} ranks needs more control memory",
          ranks);
  rounds_.open();
  Descriptor& descriptor = rounds_.descriptor(rank());
  descriptor = describe(call);
  descriptor.in = place(call.in, mine);
  descriptor.data_inline = header + mine <= limits::inline_bytes;
  auto* counts = reinterpret_cast<std::uint64_t*>(rounds_.data(rank()));
  for (int other = 0; other < size(); ++other)
    counts[other] = call.shards.count(other), counts[size() + other] = call.received.count(other);
  if (descriptor.data_inline && mine > 0) std::memcpy(rounds_.data(rank()) + header, call.in, mine);
  meet_and_compare(call);

  const auto counts_of = [this](int member) {
    return reinterpret_cast<const std::uint64_t*>(rounds_.data(member));
  };
  bool all_inline = true;
  std::size_t largest = 0;
  std::vector<std::size_t> offsets(ranks);
  for (int from = 0; from < size(); ++from) {
    all_inline = all_inline && rounds_.descriptor(from).data_inline;
    for (int to = 0; to < size(); ++to) {
      const std::uint64_t sent = counts_of(from)[to], expected = counts_of(to)[size() + from];
      if (sent != expected)
        fail(ExitCode::internal,
             "group '{}', operation {}: rank {} sends {} elements in all_to_all but rank {} expects {}",
             name(), sequence() - 1, group().ranks[static_cast<std::size_t>(from)], sent,
             group().ranks[static_cast<std::size_t>(to)], expected);
      largest = std::max<std::size_t>(largest, sent);
      if (to < rank()) offsets[static_cast<std::size_t>(from)] += sent * width;
    }
  }
  note_places();
  if (!all_inline && !all_known(ins_)) return all_to_all_in_rounds(call, largest);
  for (int from = 0; from < size(); ++from) {
    const std::byte* data =
        all_inline ? rounds_.data(from) + header : heap_->resolve(ins_[static_cast<std::size_t>(from)]);
    simd::copy(static_cast<std::byte*>(call.out) + call.received.offset(from) * width,
               data + offsets[static_cast<std::size_t>(from)], call.received.count(from) * width);
  }
  if (all_inline) return;
  rounds_.open();
  meet(call);
}

}  // namespace trireme::comm
