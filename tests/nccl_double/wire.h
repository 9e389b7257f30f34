#pragma once
#include <atomic>
#include <cstddef>
#include <vector>

namespace trireme::tests {

/// Messages between the processes of MPI_COMM_WORLD by polling, so that a flag can end a wait for a rank that
/// never comes. What was begun is then withdrawn as far as MPI can. Every function returns false when `stop`
/// was raised.
class Wire {
 public:
  /// Collective over MPI_COMM_WORLD the first time.
  static void open();
  static int world_rank();
  static int world_size();

  struct Part {
    int world_rank = 0;
    void* data = nullptr;
    std::size_t bytes = 0;
    int tag = 0;
  };
  static bool exchange(const std::vector<Part>& sends, const std::vector<Part>& receives,
                       const std::atomic<bool>& stop);
};

}  // namespace trireme::tests
