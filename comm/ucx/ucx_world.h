#pragma once
#include <functional>
#include <vector>

#include "comm/ucx/endpoint.h"
#include "comm/ucx/handles.h"
#include "comm/ucx/ucx_links.h"

namespace trireme::comm::ucx {

class UcxWorld final : public UcxLinks {
 public:
  UcxWorld(const MpiRuntime& runtime, const UcxOptions& options);
  ~UcxWorld() override;

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(peers_.size()); }
  std::string describe(int peer) override;
  Buffer allocate(std::size_t bytes) override;
  void* window() override { return window_.data(); }
  std::size_t window_bytes(int peer) const override {
    return peers_.at(static_cast<std::size_t>(peer)).window_bytes;
  }
  void tag_send(int to, const void* data, std::size_t bytes, std::uint32_t tag) override;
  void tag_receive(int from, void* data, std::size_t bytes, std::uint32_t tag) override;
  void tag_exchange(int peer, const void* out, void* in, std::size_t bytes, std::uint32_t tag) override;
  void put(int to, const void* data, std::size_t bytes, std::size_t offset) override;
  void get(int from, void* data, std::size_t bytes, std::size_t offset) override;
  void flush(int peer) override;
  void barrier() override;

 private:
  Endpoint& peer(int rank);
  ucs_status_ptr_t start_receive(int from, void* data, std::size_t bytes, std::uint32_t tag);
  void finish_receive(ucs_status_ptr_t request, int from, std::size_t bytes);
  /// The peer's window address plus `offset`; refuses what does not fit.
  std::uint64_t remote(const Endpoint& endpoint, int peer, std::size_t bytes, std::size_t offset) const;
  /// Progresses until `done`; past the time limit calls `abandon` and throws.
  void wait(const std::function<bool()>& done, const std::function<void()>& abandon, std::string_view what,
            int peer);
  void wait_for(ucs_status_ptr_t request, std::string_view what, int peer);
  /// Waits for a request that UCX may have answered at once, and frees it.
  void finish(ucs_status_ptr_t request, std::string_view what, int peer);
  void keep(Endpoint& endpoint, ucs_status_ptr_t request, std::string_view what, int peer);
  void close_all();

  int rank_;
  std::chrono::milliseconds time_limit_;
  bool broken_ = false;
  Context context_;
  Memory window_;
  Worker worker_;
  std::vector<Endpoint> peers_;
};

}  // namespace trireme::comm::ucx
