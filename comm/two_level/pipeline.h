#pragma once

namespace trireme::comm {

/// Runs the stages of `rounds` rounds so that each stage of a round has the next round's earlier stage begun
/// before it: what the earlier stage left in flight is under way while the later one waits or computes.
template <typename... Stages>
void pipeline(int rounds, Stages&&... stages) {
  constexpr int depth = static_cast<int>(sizeof...(Stages));
  for (int step = 0; step < rounds + depth - 1; ++step) {
    int round = step;
    const auto run = [&](auto& stage) {
      if (round >= 0 && round < rounds) stage(round);
      --round;
    };
    (run(stages), ...);
  }
}

}  // namespace trireme::comm
