#include "comm/watchdog/board.h"

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/descriptor.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

std::size_t bytes_for(int ranks) {
  return sizeof(VerdictEntry) + sizeof(RankEntry) * static_cast<std::size_t>(ranks);
}

}  // namespace

bool VerdictEntry::propose(std::string_view text) noexcept {
  std::uint32_t expected = empty;
  if (!state.compare_exchange_strong(expected, writing, std::memory_order_acq_rel)) return false;
  length = static_cast<std::uint32_t>(text.size() < capacity ? text.size() : capacity);
  std::memcpy(bytes.data(), text.data(), length);
  state.store(ready, std::memory_order_release);
  return true;
}

std::string_view VerdictEntry::read() const noexcept {
  if (state.load(std::memory_order_acquire) != ready) return {};
  return {bytes.data(), length};
}

Board::Board(std::string name, std::shared_ptr<void> memory, int ranks)
    : name_(std::move(name)),
      memory_(std::move(memory)),
      verdict_(static_cast<VerdictEntry*>(memory_.get())),
      entries_(reinterpret_cast<RankEntry*>(verdict_ + 1)),
      ranks_(ranks) {}

Board Board::map(const std::string& name, int ranks, int flags) {
  const Descriptor file(shm_open(name.c_str(), flags | O_RDWR | O_CLOEXEC, 0600));
  const std::size_t bytes = bytes_for(ranks);
  int problem = file ? 0 : errno;
  if (file && (flags & O_CREAT) != 0) {
    problem = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
    // Left behind it would take of the little room that there is.
    if (problem != 0) shm_unlink(name.c_str());
  }
  if (problem != 0) {
    fail(ExitCode::configuration,
         "the watchdog's board {} of {} bytes cannot be had in /dev/shm ({}): give the node's ranks one "
         "/dev/shm with room",
         name, bytes, std::strerror(problem));
  }
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED)
    fail(ExitCode::configuration, "the watchdog's board {} cannot be mapped: {}", name, std::strerror(errno));
  return Board(name, std::shared_ptr<void>(memory, [bytes](void* start) { munmap(start, bytes); }), ranks);
}

Board Board::create(const std::string& name, int ranks) {
  Board board = map(name, ranks, O_CREAT | O_EXCL);
  new (board.verdict_) VerdictEntry;
  for (int rank = 0; rank < ranks; ++rank) new (board.entries_ + rank) RankEntry;
  return board;
}

Board Board::open(const std::string& name, int ranks) {
  return map(name, ranks, 0);
}

Board Board::in_process(int ranks) {
  struct Memory {
    explicit Memory(std::size_t bytes) : start(::operator new (bytes, std::align_val_t{64})) {}
    ~Memory() { ::operator delete (start, std::align_val_t{64}); }
    void* start;
  };
  const auto memory = std::make_shared<Memory>(bytes_for(ranks));
  Board board("", std::shared_ptr<void>(memory, memory->start), ranks);
  new (board.verdict_) VerdictEntry;
  for (int rank = 0; rank < ranks; ++rank) new (board.entries_ + rank) RankEntry;
  return board;
}

void Board::remove_name() const {
  shm_unlink(name_.c_str());
}

}  // namespace trireme::comm
