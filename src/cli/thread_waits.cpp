#include "cli/thread_waits.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <sched.h>
#include <unistd.h>

namespace trireme::cli {
namespace {

/// Some tens of microseconds: as long as the threads of one product differ by, far below a time slice.
constexpr const char* spins = "2000";
constexpr std::array<std::string_view, 3> computing{"train", "eval", "generate"};
/// What measures for those is to wait as they do.
constexpr std::array<std::string_view, 2> measuring{"machine", "products"};

bool computes(int argc, char** argv) {
  const auto is_one_of = [](const auto& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (argc < 2) return false;
  const std::string_view command = argv[1];
  return command == "bench" ? argc > 2 && is_one_of(measuring, argv[2]) : is_one_of(computing, command);
}

bool one_thread() {
  if (const char* threads = std::getenv("OMP_NUM_THREADS")) return std::string_view(threads) == "1";
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) == 1;
}

}  // namespace

void wait_patiently(int argc, char** argv) {
  if (!computes(argc, argv)) return;
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY") || one_thread()) return;
  setenv("GOMP_SPINCOUNT", spins, 1);
  // By its own name, which top and ps show. Where it cannot be started anew it runs on, only less patiently.
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  execv(unknown ? "/proc/self/exe" : program.c_str(), argv);
}

}  // namespace trireme::cli
