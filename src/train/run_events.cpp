#include "train/run_events.h"

#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <fstream>

namespace trireme::train {
namespace {

namespace json = boost::json;

std::filesystem::path file_of(const std::filesystem::path& run_folder) {
  return run_folder / "events.jsonl";
}

}  // namespace

double seconds_since_1970() {
  using namespace std::chrono;
  return static_cast<double>(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()) /
         1e3;
}

void append_event(const std::filesystem::path& run_folder, RunEvent event) {
  if (event.time == 0) event.time = seconds_since_1970();
  const json::object line{
      {"time", event.time}, {"event", event.kind}, {"step", event.step}, {"text", event.text}};
  std::ofstream(file_of(run_folder), std::ios::app) << json::serialize(line) << '\n' << std::flush;
}

std::vector<RunEvent> read_events(const std::filesystem::path& run_folder) {
  std::vector<RunEvent> events;
  std::ifstream in(file_of(run_folder));
  for (std::string line; std::getline(in, line);) {
    boost::system::error_code problem;
    const json::value value = json::parse(line, problem);
    if (problem || !value.is_object()) continue;
    const json::object& object = value.as_object();
    const auto text = [&](const char* key) {
      const json::value* found = object.if_contains(key);
      return found && found->is_string() ? std::string(found->as_string()) : std::string();
    };
    const auto number = [&](const char* key) {
      const json::value* found = object.if_contains(key);
      return found && found->is_number() ? found->to_number<double>() : 0.0;
    };
    // What lies far off no clock and no run has reached.
    const auto within = [&](const char* key, double most) {
      return std::abs(number(key)) < most ? number(key) : 0.0;
    };
    events.push_back({within("time", 1e11), text("event"), static_cast<std::int64_t>(within("step", 0x1p53)),
                      text("text")});
  }
  return events;
}

}  // namespace trireme::train
