#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"
#include "jobs/read_job.h"
#include "jobs/write_job.h"

/// A job that is accepted is written and read again as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trireme;
  std::string written;
  try {
    written = jobs::to_yaml(jobs::parse_job({reinterpret_cast<const char*>(data), size}, "job.yaml"));
  } catch (const Error&) {
    return 0;
  }
  if (jobs::to_yaml(jobs::parse_job(written, "written")) != written) __builtin_trap();
  return 0;
}
