#include "comm/ucx/handles.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace trireme::comm::ucx {

void check(ucs_status_t status, std::string_view function) {
  if (status != UCS_OK) fail(ExitCode::requeue, "{} failed: {}", function, ucs_status_string(status));
}

Context make_context(std::string_view transports) {
  ucp_config_t* read = nullptr;
  check(ucp_config_read(nullptr, nullptr, &read), "ucp_config_read");
  const Config config(read);
  if (!transports.empty()) {
    const std::string value(transports);
    if (ucp_config_modify(config.get(), "TLS", value.c_str()) != UCS_OK)
      fail(ExitCode::usage, "UCX does not understand the transports '{}'", value);
  }
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_NAME;
  params.features = UCP_FEATURE_TAG | UCP_FEATURE_RMA;
  params.name = "trireme";
  ucp_context_h context = nullptr;
  const ucs_status_t status = ucp_init(&params, config.get(), &context);
  if (status != UCS_OK)
    fail(ExitCode::configuration, "UCX finds no way to move data with the transports '{}': {}",
         transports.empty() ? "of UCX_TLS" : transports, ucs_status_string(status));
  return Context(context);
}

Worker make_worker(ucp_context* context) {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SINGLE;
  ucp_worker_h worker = nullptr;
  check(ucp_worker_create(context, &params, &worker), "ucp_worker_create");
  return Worker(worker);
}

Memory::Memory(ucp_context* context, std::size_t bytes) : context_(context) {
  ucp_mem_map_params_t params{};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_LENGTH | UCP_MEM_MAP_PARAM_FIELD_FLAGS;
  params.length = std::max<std::size_t>(bytes, 1);
  params.flags = UCP_MEM_MAP_ALLOCATE;
  check(ucp_mem_map(context, &params, &handle_), "ucp_mem_map");
  ucp_mem_attr_t attributes{};
  attributes.field_mask = UCP_MEM_ATTR_FIELD_ADDRESS;
  const ucs_status_t status = ucp_mem_query(handle_, &attributes);
  if (status != UCS_OK) ucp_mem_unmap(context_, handle_);
  check(status, "ucp_mem_query");
  data_ = attributes.address;
}

Memory::~Memory() {
  ucp_mem_unmap(context_, handle_);
}

}  // namespace trireme::comm::ucx
