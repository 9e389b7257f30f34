#pragma once
#include <cstddef>

namespace trireme::comm::bench {

/// How the results leave the core: through the caches, or past them, which spares reading lines that are
/// overwritten anyway.
enum class Stores { cached, streaming };

/// Reads `reads` blocks of `block_bytes` that lie one after the other in `in`, and writes the sum of them (as
/// f32; a copy where there is one) into each of `writes` blocks in `out`. `out` may be `in`. The memory-bound
/// heart of a reduction, and nothing else.
void stream_blocks(const void* in, int reads, void* out, int writes, std::size_t block_bytes, Stores stores);
/// Reads all of it, and nothing else.
void read_block(const void* data, std::size_t bytes);

}  // namespace trireme::comm::bench
