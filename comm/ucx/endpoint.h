#pragma once
#include <vector>

#include "comm/ucx/handles.h"

namespace trireme::comm::ucx {

/// The way to one peer: its endpoint, the key of its window, and the one-sided transfers not yet flushed.
class Endpoint {
 public:
  Endpoint(ucp_worker* worker, const void* peer_address);
  ~Endpoint();
  Endpoint(Endpoint&& other) noexcept;
  Endpoint& operator=(Endpoint&&) = delete;

  ucp_ep_h get() const { return endpoint_; }
  void unpack_window(std::uint64_t address, std::size_t bytes, const void* packed_key);

  std::uint64_t window_address = 0;
  std::size_t window_bytes = 0;
  RemoteKey window_key;
  std::vector<ucs_status_ptr_t> unflushed;
  /// Starts an orderly close, which needs the worker's progress; the destructor otherwise cuts the connection
  /// off.
  ucs_status_ptr_t close();

 private:
  ucp_worker* worker_;
  ucp_ep_h endpoint_ = nullptr;
};

}  // namespace trireme::comm::ucx
