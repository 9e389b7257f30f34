#include "tests/cuda/cufile_site.h"

#include <string>

#include "cuda/cuda_plugin.h"
#include "tests/cufile_double/host_storage.h"
#include "tests/offload/backends_under_test.h"

namespace trireme::tests {
namespace {

std::string& nvidia_fs() {
  static std::string version = "2.26.6";
  return version;
}

}  // namespace

void pretend_nvidia_fs(const char* version) {
  nvidia_fs() = version;
}

const cuda::Apis& apis_with_cufile() {
  static const cuda::Apis apis = [] {
    cuda::Apis made{};
    made.cuda = host_cuda_api();
    made.storage = host_storage_api([] { return nvidia_fs(); });
    return made;
  }();
  return apis;
}

Device& device_with_cufile() {
  static cuda::CudaPlugin plugin(apis_with_cufile());
  static const std::unique_ptr<Device> device = plugin.open(0);
  return *device;
}

std::unique_ptr<offload::Backend> backend_with_cufile(std::string_view name, unsigned depth) {
  Device& device = device_with_cufile();
  return offload::make_backend(name, depth, &device, device.allocate_pinned(offload::meeting_bytes(depth)));
}

}  // namespace trireme::tests

namespace trireme::offload::tests {

using trireme::tests::device_with_cufile;

std::vector<const char*> backends_under_test() {
  return {"cufile", "auto", "threads"};
}

std::unique_ptr<Backend> backend_under_test(std::string_view name, unsigned depth) {
  return trireme::tests::backend_with_cufile(name, depth);
}

Buffer memory_under_test(std::size_t bytes) {
  return device_with_cufile().allocate(bytes);
}

}  // namespace trireme::offload::tests
