#pragma once
#include <mpi.h>

#include "comm/bench/subject.h"

namespace trireme::comm::bench {

/// The MPI library's own blocking collectives: what a program pays that calls MPI directly.
class MpiSubject final : public Subject {
 public:
  /// Duplicates `group`.
  explicit MpiSubject(MPI_Comm group);
  ~MpiSubject() override;
  MpiSubject(const MpiSubject&) = delete;
  MpiSubject& operator=(const MpiSubject&) = delete;

  std::string name() const override { return "openmpi"; }
  Buffer allocate(std::size_t bytes) override { return ordinary_memory(bytes); }
  void prepare(const Workload& workload, const Placed& placed) override;
  void run() override;

 private:
  MPI_Comm group_ = MPI_COMM_NULL;
  int rank_ = 0;
  Workload workload_;
  Placed placed_;
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
  MPI_Op operation_ = MPI_OP_NULL;
  int part_ = 0;
};

}  // namespace trireme::comm::bench
