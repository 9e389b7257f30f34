#include "comm/network_settings.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/ranges.h>

namespace trireme::comm {
namespace {

bool is_private_to_the_node(const NetworkInterface& interface) {
  constexpr std::array prefixes{"docker", "virbr",  "veth", "br-", "cni", "flannel",
                                "cali",   "podman", "lxc",  "tap", "tun"};
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const char* prefix) { return interface.name.starts_with(prefix); });
}

double fastest_of(const std::vector<NetworkInterface>& interfaces) {
  double most = 0;
  for (const NetworkInterface& one : interfaces) most = std::max(most, one.gigabits);
  return most;
}

std::vector<std::string> fastest_names(const std::vector<NetworkInterface>& interfaces) {
  const double most = fastest_of(interfaces);
  std::vector<std::string> names;
  for (const NetworkInterface& one : interfaces)
    if (one.gigabits == most) names.push_back(one.name);
  return names;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> network_settings(
    const std::vector<NetworkInterface>& interfaces) {
  std::vector<NetworkInterface> ports, links;
  bool has_choice = false;
  for (const NetworkInterface& one : interfaces) {
    if (one.infiniband) {
      ports.push_back(one);
    } else if (is_private_to_the_node(one)) {
      has_choice = true;
    } else {
      links.push_back(one);
    }
  }
  std::vector<std::pair<std::string, std::string>> settings;
  const std::vector<std::string> link_names = fastest_names(links);
  has_choice = has_choice || link_names.size() < links.size();
  if (has_choice && !link_names.empty()) {
    const std::string names = fmt::format("{}", fmt::join(link_names, ","));
    settings.emplace_back("OMPI_MCA_btl_tcp_if_include", names);
    settings.emplace_back("OMPI_MCA_oob_tcp_if_include", names);
    // "=" asks for the very names, which NCCL would else take for their beginnings.
    settings.emplace_back("NCCL_SOCKET_IFNAME", "=" + names);
  }
  const std::vector<std::string> port_names = fastest_names(ports);
  if (!port_names.empty() && port_names.size() < ports.size()) {
    std::vector<std::string> devices = port_names;
    settings.emplace_back("NCCL_IB_HCA", fmt::format("={}", fmt::join(devices, ",")));
    settings.emplace_back("UCX_NET_DEVICES", fmt::format("{}", fmt::join(devices, ",")));
  }
  return settings;
}

}  // namespace trireme::comm
