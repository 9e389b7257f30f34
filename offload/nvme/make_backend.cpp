#include "core/device.h"
#include "core/error.h"
#include "core/log.h"
#include "offload/nvme/bounce_backend.h"
#include "offload/nvme/thread_backend.h"
#include "offload/nvme/uring_backend.h"

namespace trireme::offload {
namespace {

std::unique_ptr<Backend> host_backend(std::string_view name, unsigned depth) {
  if (name == "threads") return std::make_unique<ThreadBackend>(depth);
  if (name == "io_uring") return std::make_unique<UringBackend>(depth);
  try {
    return std::make_unique<UringBackend>(depth);
  } catch (const Error& error) {
    log::warning("{}; threads read and write instead", error.what());
    return std::make_unique<ThreadBackend>(depth);
  }
}

}  // namespace

std::unique_ptr<Backend> make_backend(std::string_view name, unsigned depth, Device* device, Buffer meeting) {
  const bool direct = name == "cufile", any = name == "auto";
  if (!direct && !any && name != "io_uring" && name != "threads")
    fail(ExitCode::configuration,
         "there is no NVMe backend '{}'; known are auto, io_uring, threads and, for GPU memory, cufile",
         name);
  if (!device && direct)
    fail(ExitCode::configuration,
         "the NVMe backend cufile moves GPU memory and this state lies in the host's; set "
         "offload.nvme_backend=auto");
  if (!device) return host_backend(name, depth);
  std::unique_ptr<Backend> bounce = std::make_unique<BounceBackend>(
      *device, std::move(meeting), host_backend(direct ? "auto" : name, depth));
  if (!direct && !any) return bounce;
  try {
    return device->make_storage(depth, direct ? Detour::allowed : Detour::refused, bounce);
  } catch (const Error& error) {
    if (direct) throw;
    log::info("{}; drives and GPU meet in host memory ({})", error.what(), bounce->name());
    return bounce;
  }
}

}  // namespace trireme::offload
