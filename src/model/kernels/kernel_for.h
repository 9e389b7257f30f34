#pragma once
#include <optional>

#include <ATen/core/Tensor.h>

#include "core/device.h"
#include "core/dtype.h"

namespace trireme::model::kernels {

/// The kernels of the device that a tensor lies on; null: the host's processors compute with it.
inline DeviceKernels* device_kernels_of(const at::Tensor& tensor) {
  Device* device = compute_device();
  return device && (tensor.is_cuda() || device->is_host()) ? &device->kernels() : nullptr;
}

/// Whose kernels compute with a tensor, and in which type.
struct Kernel {
  DType type = DType::f32;
  /// Null: the CPU's.
  DeviceKernels* device = nullptr;
};

/// Nothing where LibTorch's operations are all there is.
inline std::optional<Kernel> kernel_for(const at::Tensor& tensor, at::ScalarType type) {
  DeviceKernels* device = device_kernels_of(tensor);
  if (!device && !tensor.is_cpu()) return std::nullopt;
  if (type == at::kFloat) return Kernel{DType::f32, device};
  if (type == at::kBFloat16) return Kernel{DType::bf16, device};
  if (type == at::kHalf && device) return Kernel{DType::f16, device};
  return std::nullopt;
}
inline std::optional<Kernel> kernel_for(const at::Tensor& tensor) {
  return kernel_for(tensor, tensor.scalar_type());
}

/// Below this many elements a thread's work is not worth waking it.
constexpr std::int64_t elements_a_thread = 16384;

}  // namespace trireme::model::kernels
