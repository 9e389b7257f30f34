#include <cstddef>

#include "comm/call.h"
#include "core/error.h"

// Sentences are only made when they are needed: these checks run before every call.

namespace trireme::comm {
namespace {

struct Range {
  const std::byte* first;
  std::size_t bytes;
  bool overlaps(const Range& other) const {
    return bytes > 0 && other.bytes > 0 && first < other.first + other.bytes && other.first < first + bytes;
  }
};

Range range(const void* data, std::size_t elements, DType dtype) {
  return {static_cast<const std::byte*>(data), elements * size_of(dtype)};
}

void check_cut(const Call& call, const Shards& shards, int size) {
  if (shards.ranks() != size)
    fail(ExitCode::internal, "{}: the vector is cut for {} ranks but the group has {}", call.describe(),
         shards.ranks(), size);
}

void check_memory(const Call& call, const Range& range) {
  if (range.bytes > 0 && range.first == nullptr)
    fail(ExitCode::internal, "{}: no memory was given", call.describe());
}

/// `part` may be its own place inside `whole` and overlap nothing else of it.
void check_apart(const Call& call, const Range& whole, std::size_t place, const Range& part) {
  check_memory(call, whole);
  check_memory(call, part);
  if (whole.overlaps(part) && whole.first + place != part.first)
    fail(ExitCode::internal, "{}: input and output overlap, and not in place", call.describe());
}

}  // namespace

void Call::check(int rank, int size) const {
  const bool reduces = kind == Kind::reduce_scatter || kind == Kind::all_reduce;
  if (reduces && dtype == DType::boolean && reduction == Reduction::mean)
    fail(ExitCode::internal, "{}: booleans have no mean", describe());
  switch (kind) {
    case Kind::all_gather:
      check_cut(*this, shards, size);
      return check_apart(*this, range(out, shards.total(), dtype), shards.offset(rank) * size_of(dtype),
                         range(in, shards.count(rank), dtype));
    case Kind::reduce_scatter:
      check_cut(*this, shards, size);
      return check_apart(*this, range(in, shards.total(), dtype), shards.offset(rank) * size_of(dtype),
                         range(out, shards.count(rank), dtype));
    case Kind::all_reduce:
      return check_apart(*this, range(out, count, dtype), 0, range(in, count, dtype));
    case Kind::all_to_all:
      check_cut(*this, shards, size);
      check_cut(*this, received, size);
      if (shards.count(rank) != received.count(rank))
        fail(ExitCode::internal, "all_to_all: {} elements to itself but {} from itself", shards.count(rank),
             received.count(rank));
      if (range(in, shards.total(), dtype).overlaps(range(out, received.total(), dtype)))
        fail(ExitCode::internal, "{}: input and output overlap", describe());
      check_memory(*this, range(in, shards.total(), dtype));
      return check_memory(*this, range(out, received.total(), dtype));
    case Kind::broadcast:
      if (peer < 0 || peer >= size)
        fail(ExitCode::internal, "{}: root {} is not one of the group's {} ranks", describe(), peer, size);
      return check_memory(*this, range(out, count, dtype));
    case Kind::send:
    case Kind::receive:
      if (peer < 0 || peer >= size || peer == rank)
        fail(ExitCode::internal, "{}: rank {} of the group's {} is not another rank", describe(), peer, size);
      return check_memory(*this, range(kind == Kind::send ? in : out, count, dtype));
    case Kind::barrier:
      return;
  }
}

}  // namespace trireme::comm
