#pragma once
#include <cstddef>

#include "comm/call.h"

namespace trireme::comm {

/// out = parts[0] ∘ parts[1] ∘ …, where the parts lie end to end, `count` elements each; the mean divides by
/// `ranks`, the whole group's size. `out` may be the first part.
void reduce_parts(const void* parts, int part_count, void* out, std::size_t count, DType dtype,
                  Reduction reduction, int ranks);

}  // namespace trireme::comm
