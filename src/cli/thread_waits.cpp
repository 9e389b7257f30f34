#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include <sched.h>
#include <unistd.h>

/// Threads of OpenMP wait for each other by spinning for milliseconds; on cores that they share with anything
/// else they spin while the one they wait for cannot run. The runtime reads its settings when it is loaded,
/// so this starts the program anew with a short spin, unless the environment says how to wait or there is
/// nothing to wait for. It does so before libraries are initialized, which takes LibTorch a third of a
/// second; so it may use nothing that needs to be initialized, the C library's own environment included.

namespace trireme::cli {
namespace {

/// Some tens of microseconds: as long as the threads of one product differ by, far below a time slice.
std::array spins = std::to_array("GOMP_SPINCOUNT=2000");
constexpr std::array<std::string_view, 3> computing{"train", "eval", "generate"};
/// What measures for those is to wait as they do.
constexpr std::array<std::string_view, 2> measuring{"machine", "products"};
constexpr std::size_t most_variables = 4096;

bool computes(int argc, char** argv) {
  const auto is_one_of = [](const auto& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (argc < 2) return false;
  const std::string_view command = argv[1];
  return command == "bench" ? argc > 2 && is_one_of(measuring, argv[2]) : is_one_of(computing, command);
}

/// What follows the name and its '=', or null.
const char* value_of(std::string_view name, char** environment) {
  for (; *environment; ++environment) {
    const std::string_view variable = *environment;
    if (variable.starts_with(name) && variable.substr(name.size()).starts_with('='))
      return *environment + name.size() + 1;
  }
  return nullptr;
}

bool one_thread(char** environment) {
  if (const char* threads = value_of("OMP_NUM_THREADS", environment)) return std::string_view(threads) == "1";
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  return sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) == 1;
}

void wait_patiently(int argc, char** argv, char** environment) {
  if (!computes(argc, argv) || one_thread(environment)) return;
  if (value_of("GOMP_SPINCOUNT", environment) || value_of("OMP_WAIT_POLICY", environment)) return;
  std::array<char*, most_variables> variables;
  std::size_t count = 0;
  while (environment[count])
    if (++count + 2 > most_variables) return;
  std::copy_n(environment, count, variables.begin());
  variables[count] = spins.data();
  variables[count + 1] = nullptr;
  // By its own name, which top and ps show. Where it cannot be started anew it runs on, only less patiently.
  std::array<char, 4096> program{};
  const bool known = readlink("/proc/self/exe", program.data(), program.size() - 1) > 0;
  execve(known ? program.data() : "/proc/self/exe", argv, variables.data());
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const before_libraries)(int, char**,
                                                                             char**) = wait_patiently;

}  // namespace
}  // namespace trireme::cli
