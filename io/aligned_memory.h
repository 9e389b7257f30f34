#pragma once
#include <atomic>
#include <cstddef>

#include "core/buffer.h"

namespace trireme::io {

/// Zeroed memory at page bounds, as direct reads and writes want it; large pages where the system has them.
Buffer aligned_memory(std::size_t bytes);

/// Has the system back the memory now, piece by piece and without changing what it holds, until `stop`: the
/// first touch may cost several times what a copy costs. Others may use the memory meanwhile.
void make_resident(const Buffer& memory, const std::atomic<bool>& stop);

}  // namespace trireme::io
