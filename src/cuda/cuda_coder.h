#pragma once
#include "comm/codec/coder.h"
#include "cuda/cuda_device.h"

namespace trireme::cuda {

/// The wire codecs as kernels on a stream.
class CudaCoder final : public comm::codec::Coder {
 public:
  using BlockFormat = comm::codec::BlockFormat;
  using Parts = comm::codec::Parts;

  /// All outlive this.
  CudaCoder(const Apis& apis, const CudaDevice& device, CudaStream& stream)
      : apis_(apis), device_(device), stream_(stream) {}

  void encode(const BlockFormat& format, const void* in, DType dtype, std::size_t count,
              void* out) const override;
  void decode_sum(const BlockFormat& format, const Parts& parts, std::size_t count, float divisor, void* out,
                  DType dtype) const override;
  void recode_sum(const BlockFormat& format, const Parts& parts, std::size_t count,
                  const BlockFormat& out_format, void* out) const override;
  void copy(void* to, const void* from, std::size_t bytes) const override;
  void finish() const override { stream_.finish(); }

 private:
  const Apis& apis_;
  const CudaDevice& device_;
  CudaStream& stream_;
};

}  // namespace trireme::cuda
