#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "comm/bench/collective.h"
#include "comm/bench/fit.h"
#include "comm/bench/statistics.h"

namespace trireme::comm::bench {

/// One line of the result: one size of one collective on one backend.
struct Record {
  Workload workload;
  std::string backend;
  std::string memory = "host";
  int nodes = 1;
  Summary seconds;
  /// The least time that this machine could take for the bytes that must move.
  double limit_seconds = 0;
  /// The same by the stores that move bytes soonest, wherever they leave the result.
  double any_stores_seconds = 0;
  std::optional<std::uint64_t> wrong;
  /// Of all sizes of this collective on this backend.
  std::optional<AlphaBeta> fit;

  double algorithm_gb_s() const;
  double bus_gb_s() const;
  double limit_gb_s() const;
  double any_stores_gb_s() const;
  double percent_of_limit() const;

 private:
  double bus_gb_s_in(double time) const;
};

/// Two decimals, and four below 1, where links are slow.
std::string figure(double value);

std::string json_of(const Record& record);
/// nccl-tests' columns, and ours after them.
std::string table_head();
std::string table_row(const Record& record);
/// One line for each backend: time as a function of size.
std::string fit_lines(const std::vector<Record>& records);

}  // namespace trireme::comm::bench
