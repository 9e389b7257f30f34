#include "core/error.h"
#include "core/log.h"
#include "offload/nvme/thread_backend.h"
#include "offload/nvme/uring_backend.h"

namespace trireme::offload {

std::unique_ptr<Backend> make_backend(std::string_view name, unsigned depth) {
  if (name == "threads") return std::make_unique<ThreadBackend>(depth);
  if (name == "io_uring") return std::make_unique<UringBackend>(depth);
  if (name != "auto")
    fail(ExitCode::configuration, "there is no NVMe backend '{}'; known are auto, io_uring, threads", name);
  try {
    return std::make_unique<UringBackend>(depth);
  } catch (const Error& error) {
    log::warning("{}; threads read and write instead", error.what());
    return std::make_unique<ThreadBackend>(depth);
  }
}

}  // namespace trireme::offload
