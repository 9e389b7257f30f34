#include "comm/watchdog/signature.h"

#include <fmt/format.h>

namespace trireme::comm {
namespace {

struct Field {
  int shift, bits;
  constexpr std::uint64_t mask() const { return (std::uint64_t{1} << bits) - 1; }
  constexpr std::uint64_t put(std::uint64_t value) const { return (value & mask()) << shift; }
  constexpr std::uint64_t get(std::uint64_t word) const { return (word >> shift) & mask(); }
};

constexpr Field kind_field{60, 4}, dtype_field{56, 4}, reduction_field{54, 2}, root_field{40, 14},
    elements_field{0, 40};

bool counts_agree(Call::Kind kind) {
  return kind != Call::Kind::all_to_all && kind != Call::Kind::barrier;
}
bool has_root(Call::Kind kind) {
  return kind == Call::Kind::broadcast || kind == Call::Kind::send || kind == Call::Kind::receive;
}
bool reduces(Call::Kind kind) {
  return kind == Call::Kind::all_reduce || kind == Call::Kind::reduce_scatter;
}

}  // namespace

Signature Signature::of(const Call& call) {
  std::uint64_t word = kind_field.put(static_cast<std::uint64_t>(call.kind) + 1);
  if (call.kind != Call::Kind::barrier) word |= dtype_field.put(static_cast<std::uint64_t>(call.dtype));
  if (reduces(call.kind)) word |= reduction_field.put(static_cast<std::uint64_t>(call.reduction));
  if (has_root(call.kind)) word |= root_field.put(static_cast<std::uint64_t>(call.peer));
  if (counts_agree(call.kind)) word |= elements_field.put(call.elements());
  return Signature(word);
}

Call::Kind Signature::kind() const {
  return static_cast<Call::Kind>(kind_field.get(word_) - 1);
}

std::string Signature::describe() const {
  if (none()) return "no operation";
  if (kind() == Call::Kind::barrier) return "barrier";
  std::string text(name_of(kind()));
  if (reduces(kind()))
    text += fmt::format(" ({})", name_of(static_cast<Reduction>(reduction_field.get(word_))));
  if (kind() == Call::Kind::broadcast) text += fmt::format(" (root {})", root_field.get(word_));
  const auto dtype = trireme::name_of(static_cast<DType>(dtype_field.get(word_)));
  return counts_agree(kind()) ? fmt::format("{} of {} {}", text, elements_field.get(word_), dtype)
                              : fmt::format("{} of {}", text, dtype);
}

}  // namespace trireme::comm
