#pragma once
#include "cuda/apis.h"

namespace trireme::cuda {

/// The wire codecs on a device, over pointers and a stream: the same bytes as trireme::comm::codec on the
/// CPU. Each function returns what launching its kernel returned.
CodecApi codec_kernels();

}  // namespace trireme::cuda
