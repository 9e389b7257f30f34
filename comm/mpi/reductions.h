#pragma once
#include <mpi.h>

#include "comm/call.h"

namespace trireme::comm {

MPI_Datatype mpi_type(DType dtype);
/// MPI's own operator, or ours for the half-precision types, which accumulate each pair in fp32. mean is
/// summed; the caller divides.
MPI_Op mpi_operation(DType dtype, Reduction reduction);
/// Divides in place, in fp32 for the half-precision types; integers round towards zero.
void divide(void* data, std::size_t count, DType dtype, int divisor);

}  // namespace trireme::comm
