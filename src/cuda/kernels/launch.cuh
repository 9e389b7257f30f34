#pragma once
#include <algorithm>

#include <cuda_runtime_api.h>

#include "cuda/kernels/device_numbers.cuh"
#include "cuda/kernels/known_kernels.h"

namespace trireme::cuda::on_device {

constexpr int warp = 32;

/// `count` threads of a device that work together: a block of it, or one of a block's warps.
template <int count>
class DeviceGroup {
 public:
  static constexpr int fewest = count;

  __device__ __forceinline__ std::int64_t block() const {
    return static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  }
  __device__ __forceinline__ std::int64_t blocks() const {
    return static_cast<std::int64_t>(gridDim.x) * blockDim.y;
  }
  __device__ __forceinline__ int thread() const { return static_cast<int>(threadIdx.x); }
  __device__ __forceinline__ constexpr int threads() const { return count; }
  __device__ __forceinline__ void sync() const {
    if constexpr (count == warp) {
      __syncwarp();
    } else {
      __syncthreads();
    }
  }
  template <typename T>
  __device__ __forceinline__ T sum(T value) const {
    return reduce(value, [](T a, T b) { return a + b; });
  }
  template <typename T>
  __device__ __forceinline__ T max(T value) const {
    return reduce(value, [](T a, T b) { return fmaxf(a, b); });
  }

 private:
  static_assert(count % warp == 0);

  template <typename T, typename Join>
  __device__ __forceinline__ T reduce(T value, const Join& join) const {
    for (int step = warp / 2; step > 0; step /= 2)
      value = join(value, __shfl_xor_sync(0xffffffffu, value, step));
    if constexpr (count > warp) {
      __shared__ T of_warp[count / warp];
      __syncthreads();
      if (threadIdx.x % warp == 0) of_warp[threadIdx.x / warp] = value;
      __syncthreads();
      value = of_warp[0];
      for (int other = 1; other < count / warp; ++other) value = join(value, of_warp[other]);
    }
    return value;
  }
};

template <typename Kernel>
concept WithTables = requires {
  sizeof(typename Kernel::Tables);
};
template <typename Kernel>
concept WithShared = requires {
  sizeof(typename Kernel::Shared);
};

/// So many groups make a block of the device.
template <typename Kernel>
constexpr int groups_a_block = Kernel::threads < 128 ? 256 / Kernel::threads : 1;

template <typename Kernel>
constexpr int block_threads = Kernel::threads* groups_a_block<Kernel>;

template <typename Kernel>
__global__ void __launch_bounds__(block_threads<Kernel>) carry_out(const __grid_constant__ Kernel kernel) {
  const DeviceGroup<Kernel::threads> group;
  if constexpr (WithTables<Kernel>) {
    __shared__ typename Kernel::Tables tables;
    kernel.fill(tables, static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x),
                static_cast<int>(blockDim.x * blockDim.y));
    __syncthreads();
    kernel(group, tables);
  } else if constexpr (WithShared<Kernel>) {
    static_assert(groups_a_block<Kernel> == 1);
    __shared__ typename Kernel::Shared shared;
    kernel(group, shared);
  } else {
    kernel(group);
  }
}

/// Made for each kernel that is launched.
template <typename Kernel>
struct Listed {
  static const bool done;
};
template <typename Kernel>
const bool Listed<Kernel>::done = list_kernel(reinterpret_cast<const void*>(&carry_out<Kernel>));

class DeviceLauncher {
 public:
  using Brain = __nv_bfloat16;
  using Half = __half;

  template <typename Kernel>
  static cudaError_t run(const Kernel& kernel, std::int64_t groups, cudaStream_t stream) {
    static_cast<void>(Listed<Kernel>::done);
    constexpr int side = groups_a_block<Kernel>;
    const std::int64_t blocks = std::min((groups + side - 1) / side, most_blocks<Kernel>());
    carry_out<<<static_cast<unsigned>(blocks), dim3(Kernel::threads, side), 0, stream>>>(kernel);
    return cudaGetLastError();
  }

 private:
  /// Tables are filled once a block, so there are no more blocks than the device holds at once.
  template <typename Kernel>
  static std::int64_t most_blocks() {
    if constexpr (WithTables<Kernel>) {
      static const std::int64_t held = blocks_held<Kernel>();
      return held;
    } else {
      return std::int64_t{1} << 30;
    }
  }
  template <typename Kernel>
  static std::int64_t blocks_held() {
    int device = 0, processors = 1, each = 1;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
    cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, carry_out<Kernel>, block_threads<Kernel>, 0);
    return std::max<std::int64_t>(std::int64_t{processors} * each, 1);
  }
};

}  // namespace trireme::cuda::on_device
