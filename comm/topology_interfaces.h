#pragma once
#include <filesystem>
#include <vector>

#include "comm/topology.h"

namespace trireme::comm {

/// The interfaces of this network namespace that are up and have an address, without the loopback.
std::vector<NetworkInterface> find_ip_interfaces(const std::filesystem::path& root);

}  // namespace trireme::comm
