#include <algorithm>
#include <exception>
#include <vector>

#include "offload/host/pinned_source.h"
#include "sharding/arrays.h"
#include "sharding/engine.h"
#include "sharding/failures.h"

namespace trireme::sharding {
namespace {

constexpr std::int64_t read_at_once = std::int64_t{1} << 22;

/// Pages of its own, which go when it does: the heap would keep them.
Buffer load_buffer() {
  offload::HostMemoryOptions options;
  options.locking = offload::HostMemoryOptions::Locking::none;
  options.purpose = "a buffer to load by";
  return offload::LockedPages(options).reserve(static_cast<std::size_t>(read_at_once) * sizeof(float));
}

/// Keeps the first failure, so that the others get what they wait for before all are told.
class Attempt {
 public:
  template <typename Work>
  void operator()(Work work) {
    try {
      if (!failure_) work();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  void agree(comm::Communicator& ranks) const {
    std::int32_t failed = failure_ ? 1 : 0;
    ranks.all_reduce(&failed, &failed, 1, DType::i32, comm::Reduction::max);
    if (failed) throw_first_failure(ranks, failure_);
  }

 private:
  std::exception_ptr failure_;
};

/// Element at which part `part` of `parts` of a piece begins.
std::int64_t cut(const Piece& piece, int part, int parts) {
  return piece.count * part / parts;
}

/// How a group's values are reached that a rank loads.
struct Reach {
  const ReadFloats& read;
  /// Null where they lie in the host's memory.
  ArrayLane* lane;
  Buffer buffer{};

  float* values() {
    if (!buffer.data()) buffer = load_buffer();
    return buffer.as<float>();
  }
};

/// Calls `work(at, elements)` for runs that the buffer has room for.
template <typename Work>
void by_buffers(std::int64_t count, const Work& work) {
  for (std::int64_t at = 0; at < count; at += read_at_once) work(at, std::min(count - at, read_at_once));
}

/// Masters that lie in memory as they are read are read straight there, others come by a buffer.
void read_masters(const Parameter& parameter, std::int64_t begin, const MasterValues& into,
                  std::int64_t count, Reach& reach) {
  if (into.whole && !reach.lane)
    return reach.read(parameter, begin, {into.whole, static_cast<std::size_t>(count)});
  by_buffers(count, [&](std::int64_t at, std::int64_t elements) {
    float* values = reach.values();
    reach.read(parameter, begin + at, {values, static_cast<std::size_t>(elements)});
    into.from(at).write(values, elements, reach.lane);
  });
}

/// Hands on what lies in memory, whole or in halves, or on a device.
void broadcast(comm::Communicator& ranks, const MasterValues& masters, std::int64_t count, int from,
               Reach& reach) {
  const auto elements = static_cast<std::size_t>(count);
  if (reach.lane)
    return by_buffers(count, [&](std::int64_t at, std::int64_t part) {
      float* values = reach.values();
      if (ranks.rank() == from) masters.from(at).read(values, part, reach.lane);
      ranks.broadcast(values, static_cast<std::size_t>(part), DType::f32, from);
      if (ranks.rank() != from) masters.from(at).write(values, part, reach.lane);
    });
  if (masters.whole) return ranks.broadcast(masters.whole, elements, DType::f32, from);
  ranks.broadcast(masters.nearest, elements, DType::bf16, from);
  ranks.broadcast(masters.lower, elements, DType::i16, from);
}

/// One of the ranks that need it reads each element of what is trained to its place, and the others get it
/// from there.
void load_trainable(const ParamGroup& group, GroupState& state, comm::Communicator& replicas,
                    Attempt& attempt, Reach& reach) {
  const int parts = replicas.size(), mine = replicas.rank();
  for (const Piece& piece : state.optimizer_pieces()) {
    const std::int64_t begin = cut(piece, mine, parts), end = cut(piece, mine + 1, parts);
    if (begin == end) continue;
    attempt([&] {
      read_masters(group.parameters[static_cast<std::size_t>(piece.parameter)], piece.begin + begin,
                   state.masters().from(piece.at + begin), end - begin, reach);
    });
  }
  if (parts == 1) return;
  for (const Piece& piece : state.optimizer_pieces())
    for (int part = 0; part < parts; ++part) {
      const std::int64_t begin = cut(piece, part, parts), end = cut(piece, part + 1, parts);
      if (begin < end) broadcast(replicas, state.masters().from(piece.at + begin), end - begin, part, reach);
    }
}

/// Floats as a group stores them, where its values lie.
void store_home(const GroupState& state, const float* values, std::int64_t at, std::int64_t count,
                ArrayLane* lane) {
  std::byte* into = offset_by(state.home_at_rest(), at, state.stored());
  if (!lane) return store(values, into, state.stored(), count);
  std::vector<std::byte> stored(static_cast<std::size_t>(count) * size_of(state.stored()));
  store(values, stored.data(), state.stored(), count);
  lane->write(into, stored.data(), stored.size());
}

/// This rank's slice of what is frozen, read by itself.
void load_own_slice(const ParamGroup& group, GroupState& state, Attempt& attempt, Reach& reach) {
  std::vector<float> values;
  for (const Piece& piece : state.parameter_pieces())
    attempt([&] {
      values.resize(static_cast<std::size_t>(piece.count));
      reach.read(group.parameters[static_cast<std::size_t>(piece.parameter)], piece.begin, values);
      store_home(state, values.data(), piece.at, piece.count, reach.lane);
    });
}

/// Frozen tensors that every rank needs, or of which a part can only be made from the whole: ranks read (and
/// quantise) them in turn, one each, and hand them round as they are stored.
void load_in_turn(const ParamGroup& group, GroupState& state, comm::Communicator& ranks, Attempt& attempt,
                  Reach& reach, ArrayLane& lane) {
  const std::size_t size = size_of(state.stored());
  std::vector<float> values;
  std::vector<std::byte> whole;
  for (std::size_t index = 0; index < group.parameters.size(); ++index) {
    const Parameter& parameter = group.parameters[index];
    const std::int64_t elements = element_count(parameter);
    const int reader = static_cast<int>(index) % ranks.size();
    whole.resize(static_cast<std::size_t>(elements) * size);
    if (ranks.rank() == reader)
      attempt([&] {
        values.resize(static_cast<std::size_t>(elements));
        reach.read(parameter, 0, values);
        store(values.data(), whole.data(), state.stored(), elements);
      });
    ranks.broadcast(whole.data(), whole.size(), DType::u8, reader);
    for (const Piece& piece : state.parameter_pieces())
      if (static_cast<std::size_t>(piece.parameter) == index)
        lane.write(offset_by(state.home_at_rest(), piece.at, state.stored()),
                   whole.data() + static_cast<std::size_t>(piece.begin) * size,
                   static_cast<std::size_t>(piece.count) * size);
  }
}

}  // namespace

void Engine::load(const ReadFloats& read_tensor) {
  Attempt attempt;
  const ReadFloats read = [&](const Parameter& parameter, std::int64_t begin, std::span<float> into) {
    if (!parameter.part_of) return read_tensor(parameter, begin, into);
    read_tensor(*parameter.part_of, parameter.first + begin, into);
  };
  Reach reach{read, arrays_.on_device() ? &arrays_ : nullptr};
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const ParamGroup& group = model_.groups[i];
    GroupState& state = states_[i];
    const bool needs_whole =
        state.stored() == DType::u8 || blueprint_.group(static_cast<int>(i)).parameters == 1;
    if (group.trainable) {
      load_trainable(group, state, *replicas_, attempt, reach);
    } else if (control_->size() > 1 && needs_whole) {
      load_in_turn(group, state, *control_, attempt, reach, arrays_);
    } else {
      load_own_slice(group, state, attempt, reach);
    }
  }
  attempt.agree(*control_);
  publish();
}

}  // namespace trireme::sharding
