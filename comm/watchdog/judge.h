#pragma once
#include <optional>
#include <span>

#include "comm/watchdog/sightings.h"
#include "comm/watchdog/verdict.h"

namespace trireme::comm {

struct Limits {
  /// For a collective, and for a rank that gives no sign of life.
  Milliseconds call{std::chrono::minutes(10)};
  /// After a death or an error the others get this long to show which operation they miss the rank in.
  Milliseconds settle{150};
  /// Calls younger than this are not looked at more closely.
  Milliseconds suspicion{300};
  /// What ranks of other nodes do is known this much later at most.
  Milliseconds hearsay{700};
};

/// Decides, from what all ranks' entries show, whether the run must end and who is to blame. A pure function.
std::optional<Verdict> judge(std::span<const RankView> ranks, const Limits& limits);

/// The parts of it, each with one kind of fault in mind; `judge` asks them in the order in which one fault
/// can cause another.
struct Mismatch {
  Verdict verdict;
  /// False while ranks whose call is not known yet could show that the others are right.
  bool decided = true;
};
std::optional<Mismatch> judge_mismatch(std::span<const RankView> ranks);
std::optional<Verdict> judge_absence(std::span<const RankView> ranks, const Limits& limits);
std::optional<Verdict> judge_silence(std::span<const RankView> ranks, const Limits& limits);
std::optional<Verdict> judge_hang(std::span<const RankView> ranks, const Limits& limits);

}  // namespace trireme::comm
