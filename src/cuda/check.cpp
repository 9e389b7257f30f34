#include "cuda/check.h"

#include "core/error.h"

namespace trireme::cuda {

void check(const CudaApi& api, cudaError_t code, std::string_view function) {
  if (code == cudaSuccess) return;
  api.get_last_error();  // or the next call reports this failure again
  fail(ExitCode::requeue, "{} failed: {}", function, api.get_error_string(code));
}

void check(const NcclApi& api, ncclResult_t code, std::string_view function, ncclComm_t communicator) {
  if (code == ncclSuccess || code == ncclInProgress) return;
  const char* detail = api.get_last_error(communicator);
  const bool more = detail && *detail;
  fail(code == ncclInvalidArgument || code == ncclInvalidUsage ? ExitCode::internal : ExitCode::requeue,
       "{} failed: {}{}{}", function, api.get_error_string(code), more ? ": " : "", more ? detail : "");
}

}  // namespace trireme::cuda
