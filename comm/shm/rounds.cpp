#include "comm/shm/rounds.h"

#include <utility>

#include "core/error.h"

namespace trireme::comm {

Rounds::Rounds(std::shared_ptr<const SharedSegment> control, const std::vector<int>& part_of_rank, int rank,
               int polls, const Sharing& sharing)
    : control_(std::move(control)),
      layout_(static_cast<int>(part_of_rank.size())),
      rank_(rank),
      polls_(polls),
      sharing_(sharing) {
  for (const int part : part_of_rank) bases_.push_back(control_->parts[static_cast<std::size_t>(part)]);
}

Channel& Rounds::channel(int from, int to) const {
  return *reinterpret_cast<Channel*>(base(from) + layout_.channel(static_cast<std::size_t>(to)));
}

std::byte* Rounds::channel_data(int from, int to, std::size_t which) const {
  return base(from) + layout_.channel_data(static_cast<std::size_t>(to), which);
}

bool Rounds::meet(Deadline& deadline) {
  slot(rank_).arrived.raise(round_);
  for (int other = 0; other < size(); ++other)
    if (other != rank_ && !wait(slot(other).arrived, round_, other, deadline)) return false;
  return true;
}

std::vector<int> Rounds::missing() const {
  std::vector<int> ranks;
  for (int other = 0; other < size(); ++other)
    if (!slot(other).arrived.reached(round_)) ranks.push_back(other);
  return ranks;
}

bool Rounds::wait(Flag& awaited, std::uint32_t target, int rank, Deadline& deadline) {
  if (!awaited.spin(target, polls_) && !wait_long(awaited, target, rank, deadline)) return false;
  throw_if_given_up(rank);
  return true;
}

bool Rounds::wait_long(Flag& awaited, std::uint32_t target, int rank, Deadline& deadline) {
  while (!deadline.passed()) {
    if (awaited.sleep(target, deadline.slice())) return true;
    for (int other = 0; other < size(); ++other)
      if (other != rank_ && head(other).gave_up.load(std::memory_order_relaxed) != 0)
        return awaited.reached(target);
    if (const char* reason = sharing_.abandoned())
      fail(ExitCode::requeue, "waiting for rank {} of the group is pointless: {}", rank, reason);
  }
  return awaited.reached(target);
}

void Rounds::throw_if_given_up(int rank) const {
  if (head(rank).gave_up.load(std::memory_order_relaxed) != 0)
    fail(ExitCode::hang,
         "rank {} of the group gave up on an operation that another rank never joined or that failed", rank);
}

}  // namespace trireme::comm
