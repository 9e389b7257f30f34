#include "comm/watchdog/net.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "core/error.h"

namespace trireme::comm {
namespace {

void prepare(const Descriptor& socket) {
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

bool link_local(const sockaddr* address) {
  if (address->sa_family != AF_INET6) return false;
  return IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

Descriptor bind_and_listen(int family, const sockaddr* address, socklen_t length) {
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int off = 0;
  if (!socket) return socket;
  if (family == AF_INET6) setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (bind(socket.get(), address, length) != 0 || listen(socket.get(), SOMAXCONN) != 0) socket.reset();
  return socket;
}

}  // namespace

std::vector<std::string> own_addresses() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0)
    fail(ExitCode::configuration, "this host's network addresses cannot be listed: {}", std::strerror(errno));
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> interfaces(first, &freeifaddrs);
  std::vector<std::string> addresses, loopback;
  for (const ifaddrs* one = first; one; one = one->ifa_next) {
    if (!one->ifa_addr || !(one->ifa_flags & IFF_UP) || link_local(one->ifa_addr)) continue;
    const int family = one->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    std::array<char, NI_MAXHOST> text{};
    const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (getnameinfo(one->ifa_addr, length, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
      continue;
    ((one->ifa_flags & IFF_LOOPBACK) ? loopback : addresses).emplace_back(text.data());
  }
  addresses.insert(addresses.end(), loopback.begin(), loopback.end());
  return addresses;
}

std::string own_host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

Listener listen_anywhere() {
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  Listener listener;
  listener.socket = bind_and_listen(AF_INET6, reinterpret_cast<const sockaddr*>(&any6), sizeof(any6));
  if (!listener.socket) {
    sockaddr_in any4{};
    any4.sin_family = AF_INET;
    listener.socket = bind_and_listen(AF_INET, reinterpret_cast<const sockaddr*>(&any4), sizeof(any4));
  }
  if (!listener.socket)
    fail(ExitCode::configuration, "the watchdog cannot listen on a TCP port of this host: {}",
         std::strerror(errno));
  sockaddr_storage bound{};
  socklen_t length = sizeof(bound);
  getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&bound), &length);
  listener.port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                                    : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  return listener;
}

Descriptor accept_from(const Descriptor& listening) {
  Descriptor socket(accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket) prepare(socket);
  return socket;
}

Descriptor start_connecting(const std::string& address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> target(found, &freeaddrinfo);
  Descriptor socket(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return socket;
  prepare(socket);
  if (connect(socket.get(), found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) socket.reset();
  return socket;
}

bool connecting_succeeded(const Descriptor& socket) {
  int problem = 0;
  socklen_t length = sizeof(problem);
  return getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &problem, &length) == 0 && problem == 0;
}

}  // namespace trireme::comm
