#pragma once
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace trireme::tests {

/// What this host's interface has sent so far, as the kernel counts it.
struct LinkCounter {
  std::uint64_t bytes = 0, packets = 0;

  static LinkCounter read() {
    std::ifstream file("/proc/self/net/dev");
    for (std::string line; std::getline(file, line);) {
      const auto colon = line.find("eth0:");
      if (colon == std::string::npos) continue;
      std::istringstream fields(line.substr(colon + 5));
      std::uint64_t values[10] = {};
      for (auto& value : values) fields >> value;
      return {values[8], values[9]};
    }
    return {};
  }
  /// Without the headers: each packet carries 14 bytes of Ethernet, 20 of IPv4 and 32 of TCP with time
  /// stamps; acknowledgements carry nothing else.
  std::uint64_t payload() const { return bytes - 66 * packets; }
};

}  // namespace trireme::tests
