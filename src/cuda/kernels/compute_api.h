#pragma once
#include "core/device_kernels.h"
#include "cuda/apis.h"
#include "cuda/kernels/adamw.h"
#include "cuda/kernels/adamw8.h"
#include "cuda/kernels/chunk_scores.h"
#include "cuda/kernels/dropout.h"
#include "cuda/kernels/nf4.h"
#include "cuda/kernels/norm.h"
#include "cuda/kernels/rotate.h"
#include "cuda/kernels/sgd.h"
#include "cuda/kernels/softmax_loss.h"
#include "cuda/kernels/swiglu.h"
#include "cuda/kernels/vectors.h"

namespace trireme::cuda::on_device {

/// The functions of the table over what launches them: `Launcher::run(kernel, groups, stream)`, and its types
/// of bf16 and fp16.
template <typename Launcher>
class Computing {
 public:
  static ComputeApi api() {
    return {.norm = norm,
            .norm_backward = norm_backward,
            .rotate = rotate,
            .swiglu = swiglu,
            .swiglu_backward = swiglu_backward,
            .add_chunk_rows = add_chunk_rows,
            .chunk_rows_backward = chunk_rows_backward,
            .softmax_loss = softmax_loss,
            .dequantise_nf4 = dequantise_nf4,
            .dropout_mask = dropout_mask,
            .add = add,
            .convert = convert,
            .add_squares = add_squares,
            .make_splittable = make_splittable,
            .adamw = adamw,
            .adamw8 = adamw8,
            .sgd = sgd};
  }

 private:
  using Brain = typename Launcher::Brain;
  using Half = typename Launcher::Half;
  template <typename T>
  struct Of {
    using Type = T;
  };

  template <typename Call>
  static cudaError_t with_type(NumberType type, const Call& call) {
    switch (type) {
      case NumberType::f32:
        return call(Of<float>());
      case NumberType::bf16:
        return call(Of<Brain>());
      case NumberType::f16:
        return call(Of<Half>());
    }
    return cudaErrorInvalidValue;
  }
  template <typename Call>
  static cudaError_t with_gradients(DType type, const Call& call) {
    if (type == DType::f32) return call(Of<float>());
    if (type == DType::bf16) return call(Of<Brain>());
    return type == DType::f16 ? call(Of<Half>()) : cudaErrorInvalidValue;
  }
  template <typename Call>
  static cudaError_t with_values(const offload::UpdatedValues& values, const Call& call) {
    if (values.lower) return call(Of<InHalves>());
    if (!values.copy) return call(Of<MasterAlone>());
    if (values.copy_type == DType::f32) return call(Of<MasterAndCopy<float, false>>());
    if (values.copy_type == DType::bf16) return call(Of<MasterAndCopy<Brain, true>>());
    return values.copy_type == DType::f16 ? call(Of<MasterAndCopy<Half, false>>()) : cudaErrorInvalidValue;
  }
  template <typename Kernel>
  static cudaError_t over(const Kernel& kernel, std::int64_t count, cudaStream_t stream) {
    return Launcher::run(kernel, groups_for<Kernel>(count), stream);
  }

  /// Rows so short that a warp has no more than a few turns with one.
  template <typename T>
  static bool is_short(std::int64_t size) {
    return size <= std::int64_t{128} * widest<T>;
  }

  static cudaError_t norm(const kernels::NormForward& args, std::int64_t rows, NumberType type,
                          cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      using T = typename decltype(of)::Type;
      return is_short<T>(args.size) ? Launcher::run(Norm<T, 32>{args, rows}, rows, stream)
                                    : Launcher::run(Norm<T, 256>{args, rows}, rows, stream);
    });
  }
  static cudaError_t norm_backward(const kernels::NormBackward& args, std::int64_t rows,
                                   std::int64_t rows_a_chunk, NumberType type, cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      using T = typename decltype(of)::Type;
      if (args.dw) {
        const NormWeightGradient<T> kernel{args, rows, rows_a_chunk};
        if (const cudaError_t code = Launcher::run(kernel, kernel.groups(), stream); code != cudaSuccess)
          return code;
      }
      if (!args.dx) return cudaSuccess;
      return is_short<T>(args.size) ? Launcher::run(NormInputGradient<T, 32>{args, rows}, rows, stream)
                                    : Launcher::run(NormInputGradient<T, 256>{args, rows}, rows, stream);
    });
  }
  static cudaError_t rotate(const kernels::Rotation& args, std::int64_t rows, NumberType type,
                            cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      return Launcher::run(Rotate<typename decltype(of)::Type>{args, rows}, rows, stream);
    });
  }
  static cudaError_t swiglu(const kernels::SwiGlu& args, std::int64_t count, NumberType type,
                            cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      return over(SwiGluOf<typename decltype(of)::Type>(args, count), count, stream);
    });
  }
  static cudaError_t swiglu_backward(const kernels::SwiGluBackward& args, std::int64_t count, NumberType type,
                                     cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      return over(SwiGluBackwardOf<typename decltype(of)::Type>(args, count), count, stream);
    });
  }
  static cudaError_t add_chunk_rows(const kernels::ChunkRows& rows, const kernels::ChunkSums& sums,
                                    std::int64_t count, NumberType type, cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      return Launcher::run(AddChunkRows<typename decltype(of)::Type>{rows, sums, count}, count, stream);
    });
  }
  static cudaError_t chunk_rows_backward(const kernels::ChunkRows& rows,
                                         const kernels::ChunkGradients& gradients, std::int64_t count,
                                         NumberType type, cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      return Launcher::run(ChunkRowsBackward<typename decltype(of)::Type>{rows, gradients, count}, count,
                           stream);
    });
  }
  static cudaError_t softmax_loss(const kernels::SoftmaxLoss& args, std::int64_t rows, NumberType type,
                                  cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      return Launcher::run(SoftmaxLossOf<typename decltype(of)::Type>{args, rows}, rows, stream);
    });
  }
  static cudaError_t dequantise_nf4(const kernels::Nf4Weight& weight, void* into, NumberType type,
                                    cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      using T = typename decltype(of)::Type;
      return over(DequantiseNf4<T>{weight, static_cast<T*>(into)}, weight.elements, stream);
    });
  }
  static cudaError_t dropout_mask(const kernels::DropoutMask& args, NumberType type, cudaStream_t stream) {
    return with_type(type, [&](auto of) {
      const Dropout<typename decltype(of)::Type> kernel(args);
      return Launcher::run(kernel, kernel.groups(), stream);
    });
  }

  static cudaError_t add(float* into, const float* from, std::int64_t count, cudaStream_t stream) {
    return over(Add{into, from, count}, count, stream);
  }
  static cudaError_t convert(const void* from, NumberType from_type, void* into, NumberType into_type,
                             std::int64_t count, cudaStream_t stream) {
    return with_type(from_type, [&](auto of) {
      using From = typename decltype(of)::Type;
      return with_type(into_type, [&](auto into_of) {
        using Into = typename decltype(into_of)::Type;
        return over(Convert<From, Into>{static_cast<const From*>(from), static_cast<Into*>(into), count},
                    count, stream);
      });
    });
  }
  static cudaError_t add_squares(const float* values, std::int64_t count, double* sums, cudaStream_t stream) {
    constexpr std::int64_t parts = DeviceKernels::square_sums;
    return Launcher::run(AddSquares{values, count, sums, parts}, parts, stream);
  }
  static cudaError_t make_splittable(float* values, std::int64_t count, cudaStream_t stream) {
    return over(MakeSplittable{values, count}, count, stream);
  }

  static cudaError_t adamw(const offload::AdamWFactors& factors, const offload::AdamWRun& run,
                           cudaStream_t stream) {
    return with_gradients(run.gradient_type, [&](auto gradient) {
      return with_values(run, [&](auto values) {
        using Kernel = AdamW<typename decltype(gradient)::Type, typename decltype(values)::Type>;
        return over(Kernel(factors, run), run.count, stream);
      });
    });
  }
  static cudaError_t adamw8(const offload::AdamWFactors& factors, const offload::AdamW8Run& run,
                            const offload::CodeTables& tables, cudaStream_t stream) {
    return with_gradients(run.gradient_type, [&](auto gradient) {
      return with_values(run, [&](auto values) {
        using Kernel = AdamW8<typename decltype(gradient)::Type, typename decltype(values)::Type>;
        const Kernel kernel(factors, run, tables);
        return Launcher::run(kernel, kernel.blocks(), stream);
      });
    });
  }
  static cudaError_t sgd(const offload::SgdRun& run, cudaStream_t stream) {
    return with_values(
        run, [&](auto values) { return over(Sgd<typename decltype(values)::Type>(run), run.count, stream); });
  }
};

}  // namespace trireme::cuda::on_device
