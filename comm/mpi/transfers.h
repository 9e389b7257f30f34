#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <mpi.h>

namespace trireme::comm {

/// A set of messages under way between this rank and others. MPI counts in int, so long ones go in several
/// pieces.
class Transfers {
 public:
  static constexpr std::size_t longest_piece = std::size_t{1} << 30;

  /// `piece_bytes` says, for each rank, how long a message to or from it may be; `sent_bytes` counts, by
  /// receiver, what is sent. `gives_way`: sleeps while nothing moves.
  Transfers(MPI_Comm communicator, std::span<const std::size_t> piece_bytes,
            std::span<std::uint64_t> sent_bytes, bool gives_way)
      : communicator_(communicator),
        piece_bytes_(piece_bytes),
        sent_bytes_(sent_bytes),
        gives_way_(gives_way) {}
  /// Receives that are still open are cancelled, so that nobody writes the memory later.
  ~Transfers();
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  void send(const void* data, std::size_t bytes, int to);
  void receive(void* data, std::size_t bytes, int from);
  /// For a collective of MPI's own.
  MPI_Request& add_request();
  /// Polls until all are done; false when the time passes first. Throws when a message is not as long as was
  /// expected.
  bool finish(std::chrono::steady_clock::time_point deadline);
  /// From whom something is still to come, or who has not taken something.
  std::vector<int> unfinished_peers() const;

 private:
  struct Piece {
    int peer;
    bool incoming;
    int bytes;
  };
  static void check_length(const Piece& piece, const MPI_Status& status);

  MPI_Comm communicator_;
  std::span<const std::size_t> piece_bytes_;
  std::span<std::uint64_t> sent_bytes_;
  bool gives_way_;
  std::vector<MPI_Request> requests_;
  std::vector<Piece> pieces_;
};

}  // namespace trireme::comm
