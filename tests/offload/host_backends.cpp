#include "offload/host/pinned_source.h"
#include "tests/offload/backends_under_test.h"

namespace trireme::offload::tests {

std::vector<const char*> backends_under_test() {
  return {"io_uring", "threads"};
}

std::unique_ptr<Backend> backend_under_test(std::string_view name, unsigned depth) {
  return make_backend(name, depth);
}

Buffer memory_under_test(std::size_t bytes) {
  return LockedPages({.huge_pages = false}).reserve(bytes);
}

}  // namespace trireme::offload::tests
