#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace trireme::comm {

/// Why a run ends.
enum class Reason : std::uint8_t { rank_died, node_lost, stopped, hang, mismatch, error, launcher_lost };
std::string_view name_of(Reason reason);

/// What the watchdogs agree on: who is to blame, for which operation, and how the run ends.
struct Verdict {
  Reason reason = Reason::hang;
  ExitCode code = ExitCode::hang;
  int rank = -1;
  std::string node;
  /// What the others wait for or what the rank was doing: "all_reduce (sum) of 4096 f32".
  std::string operation;
  std::string communicator;
  std::uint64_t sequence = 0;
  /// All ranks that have not begun the operation, the culprit among them.
  std::vector<int> missing;
  /// One sentence for people.
  std::string message;

  std::string pack() const;
  static Verdict unpack(std::string_view bytes);
  bool operator==(const Verdict&) const = default;
};

}  // namespace trireme::comm
