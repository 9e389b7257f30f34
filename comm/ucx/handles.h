#pragma once
#include <memory>
#include <string_view>

#include <ucp/api/ucp.h>

namespace trireme::comm::ucx {

/// Throws an Error that names the function and UCX's words unless `status` is UCS_OK.
void check(ucs_status_t status, std::string_view function);

struct Destroy {
  void operator()(ucp_config_t* config) const { ucp_config_release(config); }
  void operator()(ucp_context* context) const { ucp_cleanup(context); }
  void operator()(ucp_worker* worker) const { ucp_worker_destroy(worker); }
  void operator()(ucp_rkey* key) const { ucp_rkey_destroy(key); }
};
using Config = std::unique_ptr<ucp_config_t, Destroy>;
using Context = std::unique_ptr<ucp_context, Destroy>;
using Worker = std::unique_ptr<ucp_worker, Destroy>;
using RemoteKey = std::unique_ptr<ucp_rkey, Destroy>;

/// `transports` as UCX_TLS; empty leaves the environment's.
Context make_context(std::string_view transports);
Worker make_worker(ucp_context* context);

/// Memory that UCX allocated and registered.
class Memory {
 public:
  Memory(ucp_context* context, std::size_t bytes);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void* data() const { return data_; }
  ucp_mem_h handle() const { return handle_; }

 private:
  ucp_context* context_;
  ucp_mem_h handle_ = nullptr;
  void* data_ = nullptr;
};

}  // namespace trireme::comm::ucx
