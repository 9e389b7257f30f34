#include "tests/nccl_double/host_types.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "core/dtype.h"

namespace trireme::tests {
namespace {

template <typename Stored>
void reduce_as(const void* rows, int ranks, std::size_t count, ncclRedOp_t operation, void* out) {
  using Wide = std::conditional_t<std::is_arithmetic_v<Stored>, Stored, float>;
  const auto* values = static_cast<const Stored*>(rows);
  auto* results = static_cast<Stored*>(out);
  for (std::size_t i = 0; i < count; ++i) {
    Wide total = static_cast<Wide>(values[i]);
    for (int rank = 1; rank < ranks; ++rank) {
      const Wide next = static_cast<Wide>(values[static_cast<std::size_t>(rank) * count + i]);
      total = operation == ncclMax ? std::max(total, next) : static_cast<Wide>(total + next);
    }
    if (operation == ncclAvg) total = static_cast<Wide>(total / static_cast<Wide>(ranks));
    results[i] = Stored(total);
  }
}

}  // namespace

std::size_t size_of(ncclDataType_t type) {
  switch (type) {
    case ncclInt8:
    case ncclUint8:
      return 1;
    case ncclFloat16:
    case ncclBfloat16:
      return 2;
    case ncclInt32:
    case ncclUint32:
    case ncclFloat32:
      return 4;
    case ncclInt64:
    case ncclUint64:
    case ncclFloat64:
      return 8;
    default:
      return 0;
  }
}

void reduce_rows(const void* rows, int ranks, std::size_t count, ncclDataType_t type, ncclRedOp_t operation,
                 void* out) {
  switch (type) {
    case ncclInt8:
      return reduce_as<std::int8_t>(rows, ranks, count, operation, out);
    case ncclUint8:
      return reduce_as<std::uint8_t>(rows, ranks, count, operation, out);
    case ncclInt32:
      return reduce_as<std::int32_t>(rows, ranks, count, operation, out);
    case ncclUint32:
      return reduce_as<std::uint32_t>(rows, ranks, count, operation, out);
    case ncclInt64:
      return reduce_as<std::int64_t>(rows, ranks, count, operation, out);
    case ncclUint64:
      return reduce_as<std::uint64_t>(rows, ranks, count, operation, out);
    case ncclFloat16:
      return reduce_as<Float16>(rows, ranks, count, operation, out);
    case ncclBfloat16:
      return reduce_as<BFloat16>(rows, ranks, count, operation, out);
    case ncclFloat32:
      return reduce_as<float>(rows, ranks, count, operation, out);
    case ncclFloat64:
      return reduce_as<double>(rows, ranks, count, operation, out);
    default:
      return;
  }
}

}  // namespace trireme::tests
