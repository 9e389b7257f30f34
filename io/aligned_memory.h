#pragma once
#include <cstddef>

#include "core/buffer.h"

namespace trireme::io {

/// Zeroed memory at page bounds, as direct reads and writes want it; large pages where the system has them.
Buffer aligned_memory(std::size_t bytes);

}  // namespace trireme::io
