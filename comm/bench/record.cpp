#include "comm/bench/record.h"

#include <set>

#include <fmt/format.h>

#include "comm/bench/json_line.h"

namespace trireme::comm::bench {
namespace {

std::string_view operator_of(const Workload& workload) {
  return reduces(workload.collective) ? comm::name_of(workload.reduction) : "none";
}

/// nccl-tests counts the elements of one rank's part where the vector is cut.
std::size_t count_of(const Workload& workload) {
  return workload.part();
}

}  // namespace

double Record::algorithm_gb_s() const {
  return algorithm_bandwidth(double(workload.bytes()), seconds.median);
}
double Record::bus_gb_s() const {
  return bus_bandwidth(workload.collective, workload.ranks, double(workload.bytes()), seconds.median);
}
double Record::limit_gb_s() const {
  return bus_gb_s_in(limit_seconds);
}
double Record::any_stores_gb_s() const {
  return bus_gb_s_in(any_stores_seconds);
}
double Record::bus_gb_s_in(double time) const {
  return time > 0 ? bus_bandwidth(workload.collective, workload.ranks, double(workload.bytes()), time) : 0;
}
double Record::percent_of_limit() const {
  return 100 * limit_seconds / seconds.median;
}

std::string figure(double value) {
  return fmt::format("{:.{}f}", value, value < 1 ? 4 : 2);
}

std::string json_of(const Record& record) {
  const Workload& workload = record.workload;
  JsonLine line;
  line.add("collective", name_of(workload.collective)).add("backend", record.backend);
  line.add("ranks", workload.ranks).add("nodes", record.nodes).add("bytes", workload.bytes());
  line.add("time_us", record.seconds.median * 1e6).add("algbw_gb_s", record.algorithm_gb_s());
  line.add("busbw_gb_s", record.bus_gb_s()).add("limit_gb_s", record.limit_gb_s());
  line.add("limit_any_stores_gb_s", record.any_stores_gb_s());
  line.add("time_min_us", record.seconds.min * 1e6).add("time_max_us", record.seconds.max * 1e6);
  line.add("count", count_of(workload))
      .add("dtype", trireme::name_of(workload.dtype))
      .add("redop", operator_of(workload));
  line.add("in_place", workload.in_place).add("memory", record.memory);
  if (record.wrong) line.add("wrong", *record.wrong);
  if (record.fit) {
    line.add("fit_alpha_us", record.fit->alpha_s * 1e6).add("fit_gb_s", record.fit->bytes_per_second / 1e9);
    line.add("fit_error", record.fit->relative_error);
  }
  return line.text();
}

std::string table_head() {
  return fmt::format("{:>12} {:>12} {:>6} {:>6} {:>10} {:>10} {:>8} {:>8} {:>8} {:>6} {:>10} {:>10} {:>7}",
                     "size", "count", "type", "redop", "backend", "time", "algbw", "busbw", "limit", "%",
                     "min", "max", "wrong") +
         fmt::format("\n{:>12} {:>12} {:>6} {:>6} {:>10} {:>10} {:>8} {:>8} {:>8} {:>6} {:>10} {:>10} {:>7}",
                     "(B)", "(elements)", "", "", "", "(us)", "(GB/s)", "(GB/s)", "(GB/s)", "", "(us)",
                     "(us)", "");
}

std::string table_row(const Record& record) {
  const Workload& workload = record.workload;
  return fmt::format(
      "{:>12} {:>12} {:>6} {:>6} {:>10} {:>10.2f} {:>8} {:>8} {:>8} {:>6.1f} {:>10.2f} {:>10.2f} {:>7}",
      workload.bytes(), count_of(workload), trireme::name_of(workload.dtype), operator_of(workload),
      record.backend, record.seconds.median * 1e6, figure(record.algorithm_gb_s()), figure(record.bus_gb_s()),
      figure(record.limit_gb_s()), record.percent_of_limit(), record.seconds.min * 1e6,
      record.seconds.max * 1e6, record.wrong ? fmt::to_string(*record.wrong) : "N/A");
}

std::string fit_lines(const std::vector<Record>& records) {
  std::string text;
  std::set<std::string> seen;
  for (const Record& record : records) {
    if (!seen.insert(record.backend).second) continue;
    text += fmt::format("# {} {}: ", name_of(record.workload.collective), record.backend);
    if (record.fit) {
      text += fmt::format("time = {:.2f} us + size / {} GB/s (median error {:.0f} %)\n",
                          record.fit->alpha_s * 1e6, figure(record.fit->bytes_per_second / 1e9),
                          record.fit->relative_error * 100);
    } else {
      text += "no line fits the times\n";
    }
  }
  return text;
}

}  // namespace trireme::comm::bench
