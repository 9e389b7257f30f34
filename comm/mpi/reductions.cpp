#include "comm/mpi/reductions.h"

#include <algorithm>

#include "comm/mpi/runtime.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

template <typename T, bool maximum>
void reduce_half(void* in, void* inout, int* length, MPI_Datatype*) {
  const T* from = static_cast<const T*>(in);
  T* into = static_cast<T*>(inout);
  for (int i = 0; i < *length; ++i) {
    const float a = static_cast<float>(from[i]), b = static_cast<float>(into[i]);
    into[i] = T(maximum ? std::max(a, b) : a + b);
  }
}

MPI_Op make_operation(MPI_User_function* function) {
  MPI_Op operation = MPI_OP_NULL;
  check_mpi(MPI_Op_create(function, 1, &operation), "MPI_Op_create");
  return operation;
}

template <typename T>
MPI_Op half_operation(bool maximum) {
  static const MPI_Op sum = make_operation(reduce_half<T, false>);
  static const MPI_Op max = make_operation(reduce_half<T, true>);
  return maximum ? max : sum;
}

MPI_Datatype make_half_type() {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_contiguous(2, MPI_BYTE, &type), "MPI_Type_contiguous");
  check_mpi(MPI_Type_commit(&type), "MPI_Type_commit");
  return type;
}

template <typename T>
void divide_as(void* data, std::size_t count, int divisor) {
  T* values = static_cast<T*>(data);
  for (std::size_t i = 0; i < count; ++i) {
    if constexpr (std::is_arithmetic_v<T>) {
      values[i] = static_cast<T>(values[i] / static_cast<T>(divisor));
    } else {
      values[i] = T(static_cast<float>(values[i]) / static_cast<float>(divisor));
    }
  }
}

}  // namespace

MPI_Datatype mpi_type(DType dtype) {
  static const MPI_Datatype half = make_half_type();
  switch (dtype) {
    case DType::f32:
      return MPI_FLOAT;
    case DType::f64:
      return MPI_DOUBLE;
    case DType::bf16:
    case DType::f16:
      return half;
    case DType::i8:
      return MPI_INT8_T;
    case DType::u8:
    case DType::boolean:
      return MPI_UINT8_T;
    case DType::i16:
      return MPI_INT16_T;
    case DType::i32:
      return MPI_INT32_T;
    case DType::i64:
      return MPI_INT64_T;
  }
  return MPI_BYTE;
}

MPI_Op mpi_operation(DType dtype, Reduction reduction) {
  const bool maximum = reduction == Reduction::max;
  if (dtype == DType::bf16) return half_operation<BFloat16>(maximum);
  if (dtype == DType::f16) return half_operation<Float16>(maximum);
  return maximum ? MPI_MAX : MPI_SUM;
}

void divide(void* data, std::size_t count, DType dtype, int divisor) {
  switch (dtype) {
    case DType::f32:
      return divide_as<float>(data, count, divisor);
    case DType::f64:
      return divide_as<double>(data, count, divisor);
    case DType::bf16:
      return divide_as<BFloat16>(data, count, divisor);
    case DType::f16:
      return divide_as<Float16>(data, count, divisor);
    case DType::i8:
      return divide_as<std::int8_t>(data, count, divisor);
    case DType::u8:
    case DType::boolean:
      return divide_as<std::uint8_t>(data, count, divisor);
    case DType::i16:
      return divide_as<std::int16_t>(data, count, divisor);
    case DType::i32:
      return divide_as<std::int32_t>(data, count, divisor);
    case DType::i64:
      return divide_as<std::int64_t>(data, count, divisor);
  }
}

}  // namespace trireme::comm
