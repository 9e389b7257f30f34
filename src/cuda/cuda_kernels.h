#pragma once
#include "core/device_kernels.h"
#include "cuda/cuda_device.h"

namespace trireme::cuda {

/// The kernels of a device on the stream of the calling thread's tensors.
class CudaKernels final : public DeviceKernels {
 public:
  /// Both outlive this.
  CudaKernels(const Apis& apis, CudaDevice& device);

  void norm(const kernels::NormForward& args, std::int64_t rows, DType type) override;
  void norm_backward(const kernels::NormBackward& args, std::int64_t rows, std::int64_t rows_a_chunk,
                     DType type) override;
  void rotate(const kernels::Rotation& args, std::int64_t rows, DType type) override;
  void swiglu(const kernels::SwiGlu& args, std::int64_t count, DType type) override;
  void swiglu_backward(const kernels::SwiGluBackward& args, std::int64_t count, DType type) override;
  void add_chunk_rows(const kernels::ChunkRows& rows, const kernels::ChunkSums& sums, std::int64_t count,
                      DType type) override;
  void chunk_rows_backward(const kernels::ChunkRows& rows, const kernels::ChunkGradients& gradients,
                           std::int64_t count, DType type) override;
  void softmax_loss(const kernels::SoftmaxLoss& args, std::int64_t rows, DType type) override;
  void dequantise_nf4(const kernels::Nf4Weight& weight, void* into, DType type) override;
  void dropout_mask(const kernels::DropoutMask& args, DType type) override;
  void add(float* into, const float* from, std::int64_t count) override;
  void convert(const void* from, DType from_type, void* into, DType into_type, std::int64_t count) override;
  void add_squares(const float* values, std::int64_t count, double* sums) override;
  void make_splittable(float* values, std::int64_t count) override;
  void adamw(const offload::AdamWFactors& factors, const offload::AdamWRun& run) override;
  void adamw8(const offload::AdamWFactors& factors, const offload::AdamW8Run& run) override;
  void sgd(const offload::SgdRun& run) override;

 private:
  /// Calls one of the table's functions, in the stream.
  template <typename Function, typename... Args>
  void launch(const char* kernel, Function function, const Args&... args);

  const Apis& apis_;
  CudaDevice& device_;
  Buffer codes_;
  offload::CodeTables tables_{};
};

}  // namespace trireme::cuda
