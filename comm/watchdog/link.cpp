#include "comm/watchdog/link.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace trireme::comm {
namespace {

constexpr std::size_t header = 5, longest_body = 16u << 20, most_unsent = 32u << 20;

bool try_later() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

void Link::send(Frame::Type type, std::string_view body) {
  if (!open()) return;
  const auto length = static_cast<std::uint32_t>(body.size());
  unsent_.append(reinterpret_cast<const char*>(&length), sizeof(length));
  unsent_.push_back(static_cast<char>(type));
  unsent_.append(body);
  flush();
  if (unsent_.size() > most_unsent) close();
}

void Link::flush() {
  while (open() && !unsent_.empty()) {
    const ssize_t sent = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (!try_later()) close();
      return;
    }
    unsent_.erase(0, static_cast<std::size_t>(sent));
  }
}

void Link::pump() {
  std::array<char, 16384> part;
  while (open()) {
    const ssize_t got = recv(socket_.get(), part.data(), part.size(), MSG_DONTWAIT);
    if (got > 0) {
      received_.append(part.data(), static_cast<std::size_t>(got));
      continue;
    }
    if (got == 0 || !try_later()) close();
    return;
  }
}

std::optional<Frame> Link::next() {
  if (received_.size() < header) return std::nullopt;
  std::uint32_t length = 0;
  std::memcpy(&length, received_.data(), sizeof(length));
  if (length > longest_body) {
    close();
    received_.clear();
    return std::nullopt;
  }
  if (received_.size() < header + length) return std::nullopt;
  Frame frame{static_cast<Frame::Type>(received_[4]), received_.substr(header, length)};
  received_.erase(0, header + length);
  return frame;
}

}  // namespace trireme::comm
