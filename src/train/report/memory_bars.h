#pragma once
#include <string>
#include <vector>

namespace trireme::train {

/// What one tier was foretold to hold at the peak, piece by piece, and what was allocated there.
struct TierBar {
  struct Piece {
    std::string what;
    double bytes = 0;
  };
  std::string tier;
  std::vector<Piece> foretold;
  double measured = 0;

  double total() const;
};
/// The tiers of a run's memory.json that hold anything; none where it is no such record.
std::vector<TierBar> tier_bars(const std::string& record);

/// A bar for each tier: what the first rank was foretold to hold there, piece by piece, and beside it what
/// was allocated. `record` is a run's memory.json; empty where it says nothing.
std::string memory_bars(const std::string& record);

}  // namespace trireme::train
