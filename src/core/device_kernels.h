#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "core/kernel_args.h"

namespace trireme {

namespace offload {
struct AdamWFactors;
struct AdamWRun;
struct AdamW8Run;
struct SgdRun;
}  // namespace offload

/// Our own computations on a device. Each goes into the stream that the calling thread's tensor operations go
/// into (Stream::use_for_tensors) and returns; everything that an argument points to is in memory that the
/// device reaches, and stays there until the stream has passed.
class DeviceKernels {
 public:
  virtual ~DeviceKernels() = default;

  virtual void norm(const kernels::NormForward& args, std::int64_t rows, DType type) = 0;
  /// `args.dw` has a row for every `rows_a_chunk` rows, which is written with their sum.
  virtual void norm_backward(const kernels::NormBackward& args, std::int64_t rows, std::int64_t rows_a_chunk,
                             DType type) = 0;
  virtual void rotate(const kernels::Rotation& args, std::int64_t rows, DType type) = 0;
  virtual void swiglu(const kernels::SwiGlu& args, std::int64_t count, DType type) = 0;
  virtual void swiglu_backward(const kernels::SwiGluBackward& args, std::int64_t count, DType type) = 0;
  virtual void add_chunk_rows(const kernels::ChunkRows& rows, const kernels::ChunkSums& sums,
                              std::int64_t count, DType type) = 0;
  virtual void chunk_rows_backward(const kernels::ChunkRows& rows, const kernels::ChunkGradients& gradients,
                                   std::int64_t count, DType type) = 0;
  virtual void softmax_loss(const kernels::SoftmaxLoss& args, std::int64_t rows, DType type) = 0;
  virtual void dequantise_nf4(const kernels::Nf4Weight& weight, void* into, DType type) = 0;
  virtual void dropout_mask(const kernels::DropoutMask& args, DType type) = 0;

  /// `into` += `from`.
  virtual void add(float* into, const float* from, std::int64_t count) = 0;
  virtual void convert(const void* from, DType from_type, void* into, DType into_type,
                       std::int64_t count) = 0;
  /// Into how many parts a sum of squares is split: always the same elements to the same part.
  static constexpr int square_sums = 256;
  /// Adds the squares of a run to the parts.
  virtual void add_squares(const float* values, std::int64_t count, double* sums) = 0;
  /// offload/optimizer/halves.h
  virtual void make_splittable(float* values, std::int64_t count) = 0;

  virtual void adamw(const offload::AdamWFactors& factors, const offload::AdamWRun& run) = 0;
  virtual void adamw8(const offload::AdamWFactors& factors, const offload::AdamW8Run& run) = 0;
  virtual void sgd(const offload::SgdRun& run) = 0;
};

}  // namespace trireme
