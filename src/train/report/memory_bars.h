#pragma once
#include <string>

namespace trireme::train {

/// A bar for each tier: what the first rank was foretold to hold there, piece by piece, and beside it what
/// was allocated. `record` is a run's memory.json; empty where it says nothing.
std::string memory_bars(const std::string& record);

}  // namespace trireme::train
