#include <algorithm>
#include <cstring>
#include <exception>

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

/// Masters that lie in memory as they are read are read straight there, split ones come by a buffer.
void read_masters(const Parameter& parameter, std::int64_t begin, const MasterValues& into,
                  std::int64_t count, const ReadFloats& read, Buffer& buffer) {
  if (into.whole) return read(parameter, begin, {into.whole, static_cast<std::size_t>(count)});
  if (!buffer.data()) buffer = load_buffer();
  auto* values = buffer.as<float>();
  for (std::int64_t at = 0; at < count; at += read_at_once) {
    const std::int64_t elements = std::min(count - at, read_at_once);
    read(parameter, begin + at, {values, static_cast<std::size_t>(elements)});
    into.from(at).write(values, elements);
  }
}

/// Hands on what lies in memory, whole or in halves.
void broadcast(comm::Communicator& ranks, const MasterValues& masters, std::int64_t count, int from) {
  const auto elements = static_cast<std::size_t>(count);
  if (masters.whole) return ranks.broadcast(masters.whole, elements, DType::f32, from);
  ranks.broadcast(masters.nearest, elements, DType::bf16, from);
  ranks.broadcast(masters.lower, elements, DType::i16, from);
}

/// One of the ranks that need it reads each element of what is trained to its place, and the others get it
/// from there.
void load_trainable(const ParamGroup& group, GroupState& state, const ReadFloats& read,
                    comm::Communicator& replicas, Attempt& attempt, Buffer& buffer) {
  const int parts = replicas.size(), mine = replicas.rank();
  for (const Piece& piece : state.optimizer_pieces()) {
    const std::int64_t begin = cut(piece, mine, parts), end = cut(piece, mine + 1, parts);
    if (begin == end) continue;
    attempt([&] {
      read_masters(group.parameters[static_cast<std::size_t>(piece.parameter)], piece.begin + begin,
                   state.masters().from(piece.at + begin), end - begin, read, buffer);
    });
  }
  if (parts == 1) return;
  for (const Piece& piece : state.optimizer_pieces())
    for (int part = 0; part < parts; ++part) {
      const std::int64_t begin = cut(piece, part, parts), end = cut(piece, part + 1, parts);
      if (begin < end) broadcast(replicas, state.masters().from(piece.at + begin), end - begin, part);
    }
}

/// This rank's slice of what is frozen, read by itself.
void load_own_slice(const ParamGroup& group, GroupState& state, const ReadFloats& read, Attempt& attempt) {
  std::vector<float> values;
  for (const Piece& piece : state.parameter_pieces())
    attempt([&] {
      values.resize(static_cast<std::size_t>(piece.count));
      read(group.parameters[static_cast<std::size_t>(piece.parameter)], piece.begin, values);
      store(values.data(), offset_by(state.home_at_rest(), piece.at, state.stored()), state.stored(),
            piece.count);
    });
}

/// Frozen tensors that every rank needs, or of which a part can only be made from the whole: ranks read (and
/// quantise) them in turn, one each, and hand them round as they are stored.
void load_in_turn(const ParamGroup& group, GroupState& state, const ReadFloats& read,
                  comm::Communicator& ranks, Attempt& attempt) {
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
        read(parameter, 0, values);
        store(values.data(), whole.data(), state.stored(), elements);
      });
    ranks.broadcast(whole.data(), whole.size(), DType::u8, reader);
    for (const Piece& piece : state.parameter_pieces())
      if (static_cast<std::size_t>(piece.parameter) == index)
        std::memcpy(offset_by(state.home_at_rest(), piece.at, state.stored()),
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
  Buffer buffer;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const ParamGroup& group = model_.groups[i];
    GroupState& state = states_[i];
    const bool needs_whole =
        state.stored() == DType::u8 || blueprint_.group(static_cast<int>(i)).parameters == 1;
    if (group.trainable) {
      load_trainable(group, state, read, *replicas_, attempt, buffer);
    } else if (control_->size() > 1 && needs_whole) {
      load_in_turn(group, state, read, *control_, attempt);
    } else {
      load_own_slice(group, state, read, attempt);
    }
  }
  attempt.agree(*control_);
  publish();
}

}  // namespace trireme::sharding
