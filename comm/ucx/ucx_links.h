#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "comm/buffer.h"
#include "comm/mpi/runtime.h"

namespace trireme::comm {

struct UcxOptions {
  /// A call that takes longer throws an Error with ExitCode::hang that names the peer.
  std::chrono::milliseconds time_limit{std::chrono::seconds(60)};
  /// As UCX_TLS: "tcp,self", "sm,self", …; empty: what the environment says, else UCX's own choice.
  std::string transports;
  /// Bytes of this rank's window, into which the others put and from which they get.
  std::size_t window_bytes = 0;
};

/// One process's links to every rank of the world over UCX itself, for one thread. Between nodes UCX may
/// carry put and get as messages that the target must serve, so a target waits inside a call of this object
/// (tag_receive, barrier), not in MPI.
class UcxLinks {
 public:
  /// Collective over the world. Throws a configuration error where the program was built without UCX.
  static std::unique_ptr<UcxLinks> connect(const MpiRuntime& runtime, const UcxOptions& options);
  static bool built_in();
  /// "1.13.1"; empty without UCX.
  static std::string library_version();

  /// Collective.
  virtual ~UcxLinks() = default;
  UcxLinks(const UcxLinks&) = delete;
  UcxLinks& operator=(const UcxLinks&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// The transports that UCX chose for the link, as it prints them.
  virtual std::string describe(int peer) = 0;

  /// Registered memory for the near side of any call; release it before the links.
  virtual Buffer allocate(std::size_t bytes) = 0;
  virtual void* window() = 0;
  virtual std::size_t window_bytes(int peer) const = 0;

  /// Returns when `data` may be written again.
  virtual void tag_send(int to, const void* data, std::size_t bytes, std::uint32_t tag = 0) = 0;
  /// Returns when the message has arrived; refuses one of another length.
  virtual void tag_receive(int from, void* data, std::size_t bytes, std::uint32_t tag = 0) = 0;
  /// Sends and receives as many bytes at once, with the same tag both ways.
  virtual void tag_exchange(int peer, const void* out, void* in, std::size_t bytes,
                            std::uint32_t tag = 0) = 0;
  /// Both start a transfer between `data` and the peer's window at `offset`, and return; `flush` returns when
  /// all transfers to the peer are done at both ends.
  virtual void put(int to, const void* data, std::size_t bytes, std::size_t offset) = 0;
  virtual void get(int from, void* data, std::size_t bytes, std::size_t offset) = 0;
  virtual void flush(int peer) = 0;
  /// Collective; serves the others' transfers while it waits.
  virtual void barrier() = 0;

 protected:
  UcxLinks() = default;
};

}  // namespace trireme::comm
