#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace trireme::train {

/// Something that happened to a run beside its steps: "start", "resume", "save", "stop", "failed", "done".
struct RunEvent {
  double time = 0;  ///< seconds since 1970
  std::string kind;
  std::int64_t step = 0;
  std::string text;
  bool operator==(const RunEvent&) const = default;
};

double seconds_since_1970();
/// Appends one line to a run's events.jsonl, with the time of now where the event has none.
void append_event(const std::filesystem::path& run_folder, RunEvent event);
/// Lines that are no events are passed over.
std::vector<RunEvent> read_events(const std::filesystem::path& run_folder);

}  // namespace trireme::train
