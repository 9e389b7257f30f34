#pragma once
#include <string>

#include "train/run_record.h"

namespace trireme::train {

/// Lines of a screen about the first rank's memory by tier, the lanes of its recorded step, and the nodes;
/// what a run folder does not tell is left out.
std::string gauges(const RunRecord& run, int width);

}  // namespace trireme::train
