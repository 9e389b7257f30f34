#include "sharding/master_values.h"

#include <algorithm>

#include "offload/optimizer/halves.h"

namespace trireme::sharding {

MasterValues MasterValues::from(std::int64_t at) const {
  if (whole) return {whole + at, nullptr, nullptr};
  return {nullptr, nearest + at, lower + at};
}

void MasterValues::read(float* into, std::int64_t count) const {
  if (whole) {
    std::copy_n(whole, count, into);
  } else {
    offload::join(nearest, lower, into, count);
  }
}

void MasterValues::write(const float* values, std::int64_t count) const {
  if (whole) {
    std::copy_n(values, count, whole);
  } else {
    offload::split(values, nearest, lower, count);
  }
}

}  // namespace trireme::sharding
