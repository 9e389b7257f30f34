#include "comm/ucx/ucx_links.h"
#include "core/error.h"

namespace trireme::comm {

bool UcxLinks::built_in() {
  return false;
}
std::string UcxLinks::library_version() {
  return {};
}

std::unique_ptr<UcxLinks> UcxLinks::connect(const MpiRuntime&, const UcxOptions&) {
  fail(ExitCode::configuration,
       "this trireme was built without UCX: install libucx-dev and build again, or use another backend");
}

}  // namespace trireme::comm
