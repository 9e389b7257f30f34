#include "comm/bench/sizes.h"

#include <cmath>

#include "core/bytes.h"
#include "core/error.h"

namespace trireme::comm::bench {

std::vector<std::size_t> size_series(std::size_t begin, std::size_t end, double factor) {
  if (begin == 0) fail(ExitCode::usage, "--begin is 0 bytes; give a size of at least 1");
  if (end < begin)
    fail(ExitCode::usage, "--end ({}) is below --begin ({})", human_bytes(double(end)),
         human_bytes(double(begin)));
  if (!(factor > 1) || !std::isfinite(factor))
    fail(ExitCode::usage, "--factor is {}; give a number above 1", factor);
  std::vector<std::size_t> sizes;
  for (std::size_t size = begin; size <= end;) {
    sizes.push_back(size);
    const double next = std::round(static_cast<double>(size) * factor);
    if (next > static_cast<double>(end)) break;
    size = std::max(size + 1, static_cast<std::size_t>(next));
  }
  return sizes;
}

}  // namespace trireme::comm::bench
