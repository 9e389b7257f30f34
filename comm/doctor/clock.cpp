#include "comm/doctor/clock.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "core/error.h"

namespace trireme::comm::doctor {
namespace {

constexpr int readings_per_host = 32;
constexpr double tolerated_seconds = 0.1;

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::vector<ClockReading> ask(int other) {
  std::vector<ClockReading> readings;
  for (int i = 0; i < readings_per_host; ++i) {
    ClockReading reading;
    reading.asked = now();
    check_mpi(MPI_Send(&reading.asked, 1, MPI_DOUBLE, other, 0, MPI_COMM_WORLD), "MPI_Send");
    check_mpi(MPI_Recv(&reading.remote, 1, MPI_DOUBLE, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
              "MPI_Recv");
    reading.answered = now();
    readings.push_back(reading);
  }
  return readings;
}

void answer() {
  for (int i = 0; i < readings_per_host; ++i) {
    double time = 0;
    check_mpi(MPI_Recv(&time, 1, MPI_DOUBLE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE), "MPI_Recv");
    time = now();
    check_mpi(MPI_Send(&time, 1, MPI_DOUBLE, 0, 0, MPI_COMM_WORLD), "MPI_Send");
  }
}

}  // namespace

ClockOffset estimate_offset(const std::string& host, const std::vector<ClockReading>& readings) {
  require(!readings.empty(), "no reading of the clock of {}", host);
  const auto quickest =
      std::min_element(readings.begin(), readings.end(), [](const ClockReading& a, const ClockReading& b) {
        return a.answered - a.asked < b.answered - b.asked;
      });
  return {host, quickest->remote - (quickest->asked + quickest->answered) / 2,
          (quickest->answered - quickest->asked) / 2};
}

Finding judge_clocks(const std::vector<ClockOffset>& offsets) {
  if (offsets.empty()) return ok("clocks", "one host");
  const auto worst = std::max_element(
      offsets.begin(), offsets.end(),
      [](const ClockOffset& a, const ClockOffset& b) { return std::abs(a.seconds) < std::abs(b.seconds); });
  const std::string found = fmt::format("{} differs by {:+.3f} ms (± {:.3f} ms)", worst->host,
                                        worst->seconds * 1e3, worst->uncertainty * 1e3);
  if (std::abs(worst->seconds) - worst->uncertainty <= tolerated_seconds) return ok("clocks", found);
  return warning("clocks", found,
                 "logs and traces of the hosts do not line up, and munge refuses more than 5 minutes: start "
                 "chrony or ntpd on all hosts");
}

std::vector<ClockOffset> measure_clocks(const MpiRuntime& runtime, const Topology& topology) {
  std::vector<ClockOffset> offsets;
  for (const Node& node : topology.nodes) {
    const int leader = node.ranks.front();
    if (leader == 0) continue;
    if (runtime.rank() == 0) offsets.push_back(estimate_offset(node.hostname, ask(leader)));
    if (runtime.rank() == leader) answer();
  }
  return offsets;
}

}  // namespace trireme::comm::doctor
