#include "comm/ucx/endpoint.h"

#include <utility>

namespace trireme::comm::ucx {

Endpoint::Endpoint(ucp_worker* worker, const void* peer_address) : worker_(worker) {
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS;
  params.address = static_cast<const ucp_address_t*>(peer_address);
  check(ucp_ep_create(worker, &params, &endpoint_), "ucp_ep_create");
}

Endpoint::Endpoint(Endpoint&& other) noexcept
    : window_address(other.window_address),
      window_bytes(other.window_bytes),
      window_key(std::move(other.window_key)),
      unflushed(std::move(other.unflushed)),
      worker_(other.worker_),
      endpoint_(std::exchange(other.endpoint_, nullptr)) {}

Endpoint::~Endpoint() {
  window_key.reset();
  if (!endpoint_) return;
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  params.flags = UCP_EP_CLOSE_FLAG_FORCE;
  const ucs_status_ptr_t request = ucp_ep_close_nbx(endpoint_, &params);
  if (!UCS_PTR_IS_PTR(request)) return;
  for (int round = 0; round < 1000 && ucp_request_check_status(request) == UCS_INPROGRESS; ++round)
    ucp_worker_progress(worker_);
  ucp_request_free(request);
}

void Endpoint::unpack_window(std::uint64_t address, std::size_t bytes, const void* packed_key) {
  ucp_rkey_h key = nullptr;
  check(ucp_ep_rkey_unpack(endpoint_, packed_key, &key), "ucp_ep_rkey_unpack");
  window_key.reset(key);
  window_address = address;
  window_bytes = bytes;
}

ucs_status_ptr_t Endpoint::close() {
  window_key.reset();
  const ucp_request_param_t params{};
  return ucp_ep_close_nbx(std::exchange(endpoint_, nullptr), &params);
}

}  // namespace trireme::comm::ucx
