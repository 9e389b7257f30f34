#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <sys/statvfs.h>

#include "cli/doctor_report.h"
#include "core/bytes.h"
#include "core/error.h"
#include "offload/bench/drive_bench.h"
#include "offload/bench/memory_bench.h"
#include "offload/host/limits.h"

namespace trireme::cli {
namespace {

namespace bench = offload::bench;
namespace doctor = comm::doctor;
namespace fs = std::filesystem;

/// What AdamW keeps for a parameter beside its compute type: master and two moments in fp32.
constexpr double state_bytes = 12;
/// What a job leaves to others.
constexpr double usable = 0.8;

std::string folder_for_state() {
  const char* named = std::getenv("TMPDIR");
  return named && *named ? named : "/tmp";
}

double free_bytes(const std::string& folder) {
  struct statvfs space {};
  return ::statvfs(folder.c_str(), &space) == 0
             ? static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize)
             : 0.0;
}

/// A tenth of a second each: enough to tell tenfold differences.
double update_rate() {
  bench::MemoryOptions options;
  options.parameters = 8'000'000;
  options.rounds = 3;
  for (const bench::Record& record : bench::measure_updates(options))
    if (record.backend == "bf16 to bf16") return record.parameters_per_s;
  return 0;
}

struct DriveRate {
  double read = 0, write = 0;
  std::string backend;
};
DriveRate drive_rate(const std::string& folder) {
  bench::DriveOptions options;
  options.folders = {folder};
  options.bytes = 64 << 20;
  options.blocks = {1 << 20}, options.depths = {16}, options.backends = {"auto"};
  options.rounds = 1;
  DriveRate rate;
  for (const bench::Record& record : bench::measure_drives(options)) {
    if (record.what == "nvme_read") rate.read = record.gb_s();
    if (record.what == "nvme_write") rate.write = record.gb_s();
    rate.backend = record.backend;
  }
  return rate;
}

}  // namespace

doctor::Finding check_tiers() {
  const std::string folder = folder_for_state();
  const offload::HostLimits limits = offload::read_host_limits();
  const double host =
      static_cast<double>(std::min(limits.cgroup.value_or(UINT64_MAX), limits.machine.value_or(UINT64_MAX)));
  try {
    const double updates = update_rate();
    const DriveRate drive = drive_rate(folder);
    const double on_drive = 1e9 / (state_bytes / drive.read + state_bytes / drive.write);
    return doctor::ok("tiers", fmt::format("AdamW state of {:.1f} billion parameters fits the host ({} left, "
                                           "a core updates {:.0f} million a "
                                           "second), of {:.1f} billion {} ({} left, {:.0f} million a second, "
                                           "{} by {:.2f} GB/s read and {:.2f} "
                                           "written)",
                                           usable * host / state_bytes / 1e9, human_bytes(host),
                                           updates / 1e6, usable * free_bytes(folder) / state_bytes / 1e9,
                                           folder, human_bytes(free_bytes(folder)), on_drive / 1e6,
                                           drive.backend, drive.read, drive.write));
  } catch (const Error& error) {
    return doctor::warning("tiers", error.what(), "without that, state stays on the device");
  }
}

}  // namespace trireme::cli
