#include "comm/threads/thread_team.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace trireme::comm {
namespace {

struct Part {
  std::byte* data;
  std::size_t bytes;
  explicit Part(std::size_t size) : bytes(size) {
    constexpr std::size_t page = 4096;
    const std::size_t rounded = std::max((size + page - 1) / page * page, page);
    data = static_cast<std::byte*>(std::aligned_alloc(page, rounded));
    require(data != nullptr, "no host memory for {} bytes", size);
    std::memset(data, 0, rounded);
  }
  ~Part() { std::free(data); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
};

}  // namespace

std::vector<std::shared_ptr<void>> MeetingPoint::exchange(int seat, std::shared_ptr<void> mine) {
  std::unique_lock lock(mutex_);
  brought_[static_cast<std::size_t>(seat)] = std::move(mine);
  const std::uint64_t generation = generation_;
  if (++arrived_ == brought_.size()) {
    last_ = std::exchange(brought_, std::vector<std::shared_ptr<void>>(brought_.size()));
    arrived_ = 0;
    ++generation_;
    changed_.notify_all();
    return last_;
  }
  while (generation_ == generation) {
    changed_.wait_for(lock, std::chrono::milliseconds(20));
    if (generation_ == generation && alarm_.rung())
      fail(ExitCode::requeue, "waiting for the other ranks is pointless: {}", alarm_.reason());
  }
  return last_;
}

SharedSegment ThreadSharing::create(std::size_t my_bytes) {
  auto parts = point_->exchange(seat_, std::make_shared<Part>(my_bytes));
  SharedSegment segment;
  for (const auto& part : parts) {
    segment.parts.push_back(static_cast<Part*>(part.get())->data);
    segment.bytes.push_back(static_cast<Part*>(part.get())->bytes);
  }
  segment.owner = std::make_shared<std::vector<std::shared_ptr<void>>>(std::move(parts));
  return segment;
}

std::vector<std::uint64_t> ThreadSharing::exchange(std::uint64_t mine) {
  std::vector<std::uint64_t> words;
  for (const auto& word : point_->exchange(seat_, std::make_shared<std::uint64_t>(mine)))
    words.push_back(*static_cast<const std::uint64_t*>(word.get()));
  return words;
}

}  // namespace trireme::comm
