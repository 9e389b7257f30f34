#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace trireme::offload::bench {

/// One measurement.
struct Record {
  /// host_copy, nvme_read, nvme_write, nvme_both, nvme_to_gpu, gpu_to_nvme, nvme_and_gpu, adamw, adamw8
  std::string what;
  std::string backend;  ///< of the drive; the element types of an update
  std::uint64_t block_bytes = 0;
  unsigned depth = 0;
  int threads = 1;
  std::uint64_t bytes = 0;  ///< read and written
  double seconds = 0;       ///< median
  /// What the same reads and writes reach without the work in between (host), or the best of the run
  /// (drives).
  double limit_gb_s = 0;
  double parameters_per_s = 0;
  /// Why there is nothing to measure; empty where there is.
  std::string missing = {};

  double gb_s() const { return seconds > 0 ? static_cast<double>(bytes) / seconds / 1e9 : 0; }
  double percent() const { return limit_gb_s > 0 ? 100 * gb_s() / limit_gb_s : 0; }
};

/// The median time of `rounds` calls after one that is not counted.
double median_seconds(int rounds, const std::function<void()>& work);
/// The medians of two pieces of work that take turns, so that a slow moment hits both.
std::pair<double, double> medians_in_turns(int rounds, const std::function<void()>& first,
                                           const std::function<void()>& second);

}  // namespace trireme::offload::bench
