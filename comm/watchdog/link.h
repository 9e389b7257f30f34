#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/descriptor.h"

namespace trireme::comm {

/// A message between the leaders of nodes: four bytes of length, one of type, the body.
struct Frame {
  enum class Type : std::uint8_t { hello = 1, welcome, refusal, beat, board, verdict, goodbye };
  Type type = Type::beat;
  std::string body;
};

/// A TCP connection that carries frames and never blocks.
class Link {
 public:
  Link() = default;
  explicit Link(Descriptor socket) : socket_(std::move(socket)) {}

  bool open() const { return static_cast<bool>(socket_); }
  int descriptor() const { return socket_.get(); }
  bool has_unsent() const { return !unsent_.empty(); }
  void close() { socket_.reset(); }

  void send(Frame::Type type, std::string_view body = {});
  /// Writes what the connection takes now.
  void flush();
  /// Reads what has come. Frames that came before the other side closed are still handed out.
  void pump();
  std::optional<Frame> next();

 private:
  Descriptor socket_;
  std::string unsent_, received_;
};

}  // namespace trireme::comm
