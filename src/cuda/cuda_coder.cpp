#include "cuda/cuda_coder.h"

#include "comm/codec/codec.h"
#include "core/error.h"
#include "cuda/check.h"
#include "cuda/number_type.h"

namespace trireme::cuda {
void CudaCoder::encode(const BlockFormat& format, const void* in, DType dtype, std::size_t count,
                       void* out) const {
  comm::codec::check(format, dtype);
  if (count == 0) return;
  device_.use();
  check(apis_.cuda, apis_.codec.encode(format, in, number_type(dtype), count, out, stream_.stream()),
        "the encoding kernel");
}

void CudaCoder::decode_sum(const BlockFormat& format, const Parts& parts, std::size_t count, float divisor,
                           void* out, DType dtype) const {
  comm::codec::check(format, dtype);
  if (count == 0) return;
  device_.use();
  const cudaError_t code = apis_.codec.decode_sum(format, parts.first, parts.stride, parts.count, count,
                                                  divisor, out, number_type(dtype), stream_.stream());
  check(apis_.cuda, code, "the decoding kernel");
}

void CudaCoder::recode_sum(const BlockFormat& format, const Parts& parts, std::size_t count,
                           const BlockFormat& out_format, void* out) const {
  comm::codec::check(format, DType::f32);
  comm::codec::check(out_format, DType::f32);
  require(out_format.block <= longest_recoded_block,
          "a GPU sums and encodes blocks of at most {} elements, not {}", longest_recoded_block,
          out_format.block);
  if (count == 0) return;
  device_.use();
  const cudaError_t code = apis_.codec.recode_sum(format, parts.first, parts.stride, parts.count, count,
                                                  out_format, out, stream_.stream());
  check(apis_.cuda, code, "the summing and encoding kernel");
}

void CudaCoder::copy(void* to, const void* from, std::size_t bytes) const {
  if (bytes > 0) stream_.copy(to, from, bytes);
}

}  // namespace trireme::cuda
