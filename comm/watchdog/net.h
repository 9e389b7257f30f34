#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/descriptor.h"

namespace trireme::comm {

/// Numeric addresses of this host's interfaces that are up; the loopback ones last.
std::vector<std::string> own_addresses();
std::string own_host_name();

struct Listener {
  Descriptor socket;
  std::uint16_t port = 0;
};
/// Listens on all interfaces, on a port of the kernel's choice, without blocking.
Listener listen_anywhere();
/// No descriptor when nobody waits to be let in.
Descriptor accept_from(const Descriptor& listening);

/// Starts to connect without blocking; the socket becomes writable when that has succeeded or failed. No
/// descriptor when it failed at once.
Descriptor start_connecting(const std::string& address, std::uint16_t port);
bool connecting_succeeded(const Descriptor& socket);

}  // namespace trireme::comm
