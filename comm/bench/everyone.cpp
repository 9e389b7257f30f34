#include "comm/bench/everyone.h"

#include <chrono>
#include <thread>

#include "comm/mpi/runtime.h"

namespace trireme::comm::bench {

Everyone::Everyone() {
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &all_), "MPI_Comm_dup");
  MPI_Comm_rank(all_, &rank_);
  MPI_Comm_size(all_, &size_);
}

Everyone::~Everyone() {
  MPI_Comm_free(&all_);
}

void Everyone::barrier() const {
  check_mpi(MPI_Barrier(all_), "MPI_Barrier");
}

void Everyone::sleepy_barrier() const {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(all_, &request), "MPI_Ibarrier");
  for (int done = 0; !done;) {
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (!done) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

double Everyone::slowest(double seconds) const {
  double result = seconds;
  check_mpi(MPI_Allreduce(&seconds, &result, 1, MPI_DOUBLE, MPI_MAX, all_), "MPI_Allreduce");
  return result;
}

long long Everyone::total(long long mine) const {
  long long result = mine;
  check_mpi(MPI_Allreduce(&mine, &result, 1, MPI_LONG_LONG, MPI_SUM, all_), "MPI_Allreduce");
  return result;
}

bool Everyone::all_of(bool mine) const {
  return total(mine ? 0 : 1) == 0;
}

void Everyone::add_up(std::vector<double>& values) const {
  check_mpi(
      MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_DOUBLE, MPI_SUM, all_),
      "MPI_Allreduce");
}

std::vector<std::string> Everyone::host_names() const {
  constexpr std::size_t longest = MPI_MAX_PROCESSOR_NAME;
  std::vector<char> mine(longest), all(longest * static_cast<std::size_t>(size_));
  int length = 0;
  check_mpi(MPI_Get_processor_name(mine.data(), &length), "MPI_Get_processor_name");
  check_mpi(MPI_Allgather(mine.data(), longest, MPI_CHAR, all.data(), longest, MPI_CHAR, all_),
            "MPI_Allgather");
  std::vector<std::string> names;
  for (int rank = 0; rank < size_; ++rank)
    names.emplace_back(all.data() + longest * static_cast<std::size_t>(rank));
  return names;
}

void Everyone::broadcast_from_first(void* data, std::size_t bytes) const {
  check_mpi(MPI_Bcast(data, static_cast<int>(bytes), MPI_BYTE, 0, all_), "MPI_Bcast");
}

}  // namespace trireme::comm::bench
