#include "comm/mpi/runtime.h"

#include <array>
#include <cstdlib>

#include "comm/bootstrap_launch.h"
#include "core/error.h"

namespace trireme::comm {

void check_mpi(int code, std::string_view function) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  fail(ExitCode::requeue, "{} failed: {}", function,
       std::string_view(text.data(), static_cast<std::size_t>(length)));
}

std::string mpi_library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  return {text.data(), static_cast<std::size_t>(length)};
}

MpiRuntime::MpiRuntime(int* argc, char*** argv) {
  if (const std::string problem = hopeless_launch(current_environment(), mpi_library_version());
      !problem.empty())
    fail(ExitCode::configuration, "{}", problem);
  // A rank that nothing started would start Open MPI's daemon, which searches the machine and only serves
  // ranks that start others.
  setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
  int provided = MPI_THREAD_SINGLE;
  check_mpi(MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  if (provided < MPI_THREAD_MULTIPLE) {
    MPI_Finalize();
    fail(ExitCode::configuration,
         "this MPI library gives thread level {} but trireme needs MPI_THREAD_MULTIPLE ({}); use a build "
         "with threads",
         provided, MPI_THREAD_MULTIPLE);
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
}

MpiRuntime::~MpiRuntime() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (!finalized) MPI_Finalize();
}

}  // namespace trireme::comm
