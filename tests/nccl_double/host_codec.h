#pragma once
#include <cstdint>

#include "cuda/apis.h"

namespace trireme::tests {

/// The codec kernels on host memory: the scalar reference, done late on the stream as a kernel is, with
/// every range inside a live block and every operand where a float may lie, or else a misuse.
cuda::CodecApi host_codec_api();

struct CodecCalls {
  std::uint64_t encoded = 0, decoded = 0, recoded = 0;
};

/// What this process has asked for since the last time.
CodecCalls take_codec_calls();

}  // namespace trireme::tests
