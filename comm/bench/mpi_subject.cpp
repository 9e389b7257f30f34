#include "comm/bench/mpi_subject.h"

#include <climits>

#include "comm/mpi/reductions.h"
#include "comm/mpi/runtime.h"
#include "core/error.h"

namespace trireme::comm::bench {

MpiSubject::MpiSubject(MPI_Comm group) {
  check_mpi(MPI_Comm_dup(group, &group_), "MPI_Comm_dup");
  MPI_Comm_rank(group_, &rank_);
}

MpiSubject::~MpiSubject() {
  MPI_Comm_free(&group_);
}

void MpiSubject::prepare(const Workload& workload, const Placed& placed) {
  if (workload.elements > INT_MAX)
    fail(ExitCode::usage, "openmpi: MPI 3 counts at most {} elements; lower --end or name other backends",
         INT_MAX);
  workload_ = workload, placed_ = placed, part_ = static_cast<int>(workload.part());
  type_ = mpi_type(workload.dtype);
  operation_ = mpi_operation(workload.dtype, workload.reduction);
}

void MpiSubject::run() {
  const bool mean = workload_.reduction == Reduction::mean;
  const void* in = workload_.in_place ? MPI_IN_PLACE : placed_.in;
  switch (workload_.collective) {
    case Collective::all_gather:
      check_mpi(MPI_Allgather(in, part_, type_, placed_.out, part_, type_, group_), "MPI_Allgather");
      break;
    case Collective::reduce_scatter:
      check_mpi(MPI_Reduce_scatter_block(placed_.in, placed_.out, part_, type_, operation_, group_),
                "MPI_Reduce_scatter_block");
      if (mean) divide(placed_.out, workload_.part(), workload_.dtype, workload_.ranks);
      break;
    case Collective::all_reduce:
      check_mpi(MPI_Allreduce(in, placed_.out, part_, type_, operation_, group_), "MPI_Allreduce");
      if (mean) divide(placed_.out, workload_.part(), workload_.dtype, workload_.ranks);
      break;
    case Collective::broadcast:
      check_mpi(MPI_Bcast(placed_.out, part_, type_, 0, group_), "MPI_Bcast");
      break;
    case Collective::all_to_all:
      check_mpi(MPI_Alltoall(placed_.in, part_, type_, placed_.out, part_, type_, group_), "MPI_Alltoall");
      break;
    case Collective::sendrecv: {
      const int right = (rank_ + 1) % workload_.ranks, left = (rank_ + workload_.ranks - 1) % workload_.ranks;
      check_mpi(MPI_Sendrecv(placed_.in, part_, type_, right, 0, placed_.out, part_, type_, left, 0, group_,
                             MPI_STATUS_IGNORE),
                "MPI_Sendrecv");
      break;
    }
  }
}

}  // namespace trireme::comm::bench
