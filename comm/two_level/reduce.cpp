#include "comm/two_level/reduce.h"

#include <vector>

#include "comm/mpi/reductions.h"
#include "comm/simd/reduce.h"

namespace trireme::comm {

void reduce_parts(const void* parts, int part_count, void* out, std::size_t count, DType dtype,
                  Reduction reduction, int ranks) {
  std::vector<const void*> in;
  for (int part = 0; part < part_count; ++part)
    in.push_back(static_cast<const std::byte*>(parts) +
                 static_cast<std::size_t>(part) * count * size_of(dtype));
  simd::reduce(in, out, count, dtype, reduction == Reduction::max ? Reduction::max : Reduction::sum);
  if (reduction == Reduction::mean) divide(out, count, dtype, ranks);
}

}  // namespace trireme::comm
