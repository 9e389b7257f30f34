#include "comm/topology_interfaces.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>

#include "comm/topology_parse.h"
#include "comm/topology_survey.h"

namespace trireme::comm {
namespace {

struct Free {
  void operator()(ifaddrs* list) const { ::freeifaddrs(list); }
};

std::string printed(const sockaddr* address) {
  const socklen_t length = address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(address, length, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) return {};
  return text.data();
}

}  // namespace

std::vector<NetworkInterface> find_ip_interfaces(const std::filesystem::path& root) {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return {};
  const std::unique_ptr<ifaddrs, Free> list(raw);
  std::vector<NetworkInterface> found;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const ifaddrs* entry = list.get(); entry; entry = entry->ifa_next) {
      if (!entry->ifa_addr || entry->ifa_addr->sa_family != family) continue;
      if (!(entry->ifa_flags & IFF_UP) || (entry->ifa_flags & IFF_LOOPBACK)) continue;
      const std::string name = entry->ifa_name;
      if (std::any_of(found.begin(), found.end(),
                      [&](const NetworkInterface& known) { return known.name == name; }))
        continue;
      const auto folder = root / "sys/class/net" / name;
      const auto numa = parse_number(read_text(folder / "device/numa_node"));
      found.push_back({name, printed(entry->ifa_addr), parse_speed_gigabits(read_text(folder / "speed")),
                       false, static_cast<int>(numa.value_or(-1))});
    }
  }
  return found;
}

}  // namespace trireme::comm
