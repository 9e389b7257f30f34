#pragma once
#include <string>
#include <string_view>

#include <mpi.h>

namespace trireme::comm {

/// MPI from initialisation to finalisation. Asks for MPI_THREAD_MULTIPLE, since each communicator's lane
/// makes its own calls, and refuses less.
class MpiRuntime {
 public:
  MpiRuntime(int* argc, char*** argv);
  ~MpiRuntime();
  MpiRuntime(const MpiRuntime&) = delete;
  MpiRuntime& operator=(const MpiRuntime&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }

 private:
  int rank_ = 0;
  int size_ = 1;
};

/// The library's own words; may be asked before MPI_Init.
std::string mpi_library_version();

/// Throws an Error that names the MPI function and its error string unless `code` is MPI_SUCCESS.
void check_mpi(int code, std::string_view function);

}  // namespace trireme::comm
