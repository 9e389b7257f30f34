#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include <mpi.h>

namespace trireme::comm::bench {

/// All ranks of a benchmark, for what it does between the measurements: agree and wait, outside of every
/// backend that is timed.
class Everyone {
 public:
  Everyone();
  ~Everyone();
  Everyone(const Everyone&) = delete;
  Everyone& operator=(const Everyone&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  MPI_Comm handle() const { return all_; }
  void barrier() const;
  /// Waits without taking a core from ranks that are being measured.
  void sleepy_barrier() const;
  double slowest(double seconds) const;
  long long total(long long mine) const;
  bool all_of(bool mine) const;
  /// The sum over the ranks of each value, on all of them.
  void add_up(std::vector<double>& values) const;
  std::vector<std::string> host_names() const;
  void broadcast_from_first(void* data, std::size_t bytes) const;

 private:
  MPI_Comm all_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace trireme::comm::bench
