#pragma once
#include <cstddef>

#include "comm/codec/format.h"
#include "core/dtype.h"

namespace trireme::comm {

class Communicator;

namespace codec {

/// The operands of a sum: encoded vectors that lie `stride` bytes apart, a multiple of four.
struct Parts {
  const void* first = nullptr;
  std::size_t stride = 0;
  int count = 1;

  const void* operator[](int part) const {
    return static_cast<const std::byte*>(first) + static_cast<std::size_t>(part) * stride;
  }
};

/// The wire codecs where a communicator's memory is: the host's, or a device's. All give the same bytes
/// (codec.h). What is asked for is done in order, and before the communicator's later calls read it; anyone
/// else looks at it after `finish`. For the thread that makes the communicator's calls, between them.
class Coder {
 public:
  virtual ~Coder() = default;
  virtual void encode(const BlockFormat& format, const void* in, DType dtype, std::size_t count,
                      void* out) const = 0;
  virtual void decode_sum(const BlockFormat& format, const Parts& parts, std::size_t count, float divisor,
                          void* out, DType dtype) const = 0;
  virtual void recode_sum(const BlockFormat& format, const Parts& parts, std::size_t count,
                          const BlockFormat& out_format, void* out) const = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) const = 0;
  virtual void finish() const = 0;
};

const Coder& host_coder();

/// The coder of the memory that this communicator moves.
const Coder& coder_of(Communicator& communicator);

}  // namespace codec
}  // namespace trireme::comm
