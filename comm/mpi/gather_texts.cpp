#include "comm/mpi/gather_texts.h"

#include <climits>
#include <numeric>

#include "core/error.h"

namespace trireme::comm {

std::vector<std::string> gather_texts(const MpiRuntime& runtime, const std::string& mine) {
  const std::size_t size = static_cast<std::size_t>(runtime.size());
  const int length = static_cast<int>(mine.size());
  std::vector<int> lengths(size), offsets(size + 1, 0);
  check_mpi(MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, MPI_COMM_WORLD), "MPI_Allgather");
  const std::size_t total = std::accumulate(lengths.begin(), lengths.end(), std::size_t{0});
  require(total <= INT_MAX, "{} bytes of reports do not fit one gather", total);
  std::partial_sum(lengths.begin(), lengths.end(), offsets.begin() + 1);
  std::string all(total, '\0');
  check_mpi(MPI_Allgatherv(mine.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(),
                           MPI_CHAR, MPI_COMM_WORLD),
            "MPI_Allgatherv");
  std::vector<std::string> texts;
  for (std::size_t rank = 0; rank < size; ++rank)
    texts.push_back(
        all.substr(static_cast<std::size_t>(offsets[rank]), static_cast<std::size_t>(lengths[rank])));
  return texts;
}

}  // namespace trireme::comm
