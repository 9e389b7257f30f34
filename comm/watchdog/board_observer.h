#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "comm/watchdog/board.h"
#include "comm/watchdog/signature.h"

namespace trireme::comm {

/// Writes each call of each communicator of this rank to its entry of the board: tens of nanoseconds a call,
/// no lock, no system call. One observer serves any number of communicators and threads, since one
/// communicator's calls never overlap.
class BoardObserver final : public CallObserver {
 public:
  using Complain = std::function<void(std::string_view)>;
  BoardObserver(Board board, int local_rank, Complain complain)
      : board_(std::move(board)), entry_(board_.rank(local_rank)), complain_(std::move(complain)) {}

  void opened(const Communicator& communicator) noexcept override;
  void closed(const Communicator& communicator) noexcept override;
  void began(const Communicator& communicator, const Call& call, std::uint64_t sequence) noexcept override;
  void ended(const Communicator& communicator, const Call& call, std::uint64_t sequence) noexcept override;

  void phase(std::string_view name, std::chrono::milliseconds limit) noexcept;

 private:
  static constexpr std::size_t changing_words = offsetof(CallState, communicator) / sizeof(std::uint64_t);
  static constexpr int none = -1;
  struct Watched {
    std::atomic<const Communicator*> communicator{nullptr};
    CallState state;
  };
  int slot_of(const Communicator& communicator) const noexcept;
  std::uint64_t identity(const Communicator& communicator);

  Board board_;
  RankEntry& entry_;
  Complain complain_;
  std::array<Watched, RankEntry::communicators> watched_;
  std::atomic<int> used_{0};
  std::mutex opening_;
  std::map<std::pair<std::string, std::vector<int>>, std::uint64_t> instances_;
  PhaseState phase_;
};

}  // namespace trireme::comm
