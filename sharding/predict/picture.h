#pragma once
#include <string>
#include <string_view>

#include "sharding/predict/simulate.h"

namespace trireme::sharding {

/// One rank's run of a schedule, under a name of its own.
struct Track {
  std::string_view name;
  int rank = 0;
  const Schedule* schedule = nullptr;
  const Timeline* timeline = nullptr;
};

/// Chrome's trace format (chrome://tracing, Perfetto): a process for each track, a thread for each lane.
std::string chrome_trace(const std::vector<Track>& tracks);
/// A picture of lanes over time, the tracks one over the other on one scale; SVG.
std::string gantt_svg(const std::vector<Track>& tracks);

}  // namespace trireme::sharding
