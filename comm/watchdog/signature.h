#pragma once
#include <cstdint>
#include <string>

#include "comm/call.h"

namespace trireme::comm {

/// What the ranks of a group must agree on when they make a call together, in one word: kind, type,
/// reduction, root and elements. Calls whose counts may differ from rank to rank (all_to_all) leave them out.
/// Zero is no call.
class Signature {
 public:
  Signature() = default;
  explicit Signature(std::uint64_t word) : word_(word) {}
  static Signature of(const Call& call);

  std::uint64_t word() const { return word_; }
  bool none() const { return word_ == 0; }
  Call::Kind kind() const;
  bool point_to_point() const { return kind() == Call::Kind::send || kind() == Call::Kind::receive; }
  /// "all_reduce (sum) of 4096 f32".
  std::string describe() const;
  bool operator==(const Signature&) const = default;

 private:
  std::uint64_t word_ = 0;
};

}  // namespace trireme::comm
