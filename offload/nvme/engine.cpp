#include "offload/nvme/engine.h"

#include <algorithm>
#include <chrono>
#include <future>

#include "core/error.h"

namespace trireme::offload {
namespace {

/// What every file system that goes around its cache accepts.
constexpr std::uint64_t sector = 4096;

bool aligned(const std::byte* data, std::uint64_t offset, std::uint64_t bytes, const Alignment& alignment) {
  const std::uint64_t memory = std::max<std::uint64_t>(alignment.memory, 1);
  const std::uint64_t place = std::max<std::uint64_t>(alignment.offset, 1);
  return reinterpret_cast<std::uintptr_t>(data) % memory == 0 && offset % place == 0 && bytes % place == 0;
}

}  // namespace

Engine::Engine(std::unique_ptr<Backend> backend, EngineOptions options)
    : backend_(std::move(backend)), options_(options), slots_(backend_->depth()) {
  require(options_.block_bytes >= sector && options_.block_bytes % sector == 0, "blocks of {} bytes",
          options_.block_bytes);
  for (std::size_t i = slots_.size(); i-- > 0;) free_.push_back(i);
  thread_ = std::thread([this] { serve(); });
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_one();
  backend_->wake();
  thread_.join();
}

Event Engine::read(const Volume& volume, std::uint64_t offset, std::span<std::byte> into,
                   std::vector<Event> after) {
  return post(volume, offset, into.data(), into.size(), false, std::move(after));
}

Event Engine::write(const Volume& volume, std::uint64_t offset, std::span<const std::byte> from) {
  // Requests of both directions share one form; a write leaves its memory alone.
  return post(volume, offset, const_cast<std::byte*>(from.data()), from.size(), true, {});
}

Event Engine::read(const Volume& volume, std::uint64_t offset, std::span<std::byte> into,
                   const DeviceEvent& point) {
  return post(volume, offset, into.data(), into.size(), false, {}, &point);
}

Event Engine::write(const Volume& volume, std::uint64_t offset, std::span<const std::byte> from,
                    const DeviceEvent& point) {
  return post(volume, offset, const_cast<std::byte*>(from.data()), from.size(), true, {}, &point);
}

Event Engine::post(const Volume& volume, std::uint64_t offset, std::byte* data, std::uint64_t bytes,
                   bool write, std::vector<Event> after, const DeviceEvent* point) {
  require(offset <= volume.bytes() && bytes <= volume.bytes() - offset,
          "a transfer of {} bytes at {} of a volume of {}", bytes, offset, volume.bytes());
  if (bytes == 0) return Event::already_set();
  auto transfer = std::make_shared<Transfer>();
  std::vector<Piece> pieces;
  std::uint64_t at = 0;
  for (const Extent& extent : volume.striping().extents(offset, bytes)) {
    cut(transfer, volume, extent, data + at, write, pieces);
    at += extent.bytes;
  }
  transfer->pieces = pieces.size(), transfer->after = std::move(after), transfer->point = point;
  Event done = transfer->done;
  {
    const std::lock_guard lock(mutex_);
    std::move(pieces.begin(), pieces.end(), std::back_inserter(arrived_));
  }
  wanted_.notify_one();
  backend_->wake();
  return done;
}

void Engine::cut(const std::shared_ptr<Transfer>& transfer, const Volume& volume, const Extent& extent,
                 std::byte* data, bool write, std::vector<Piece>& into) const {
  for (std::uint64_t at = 0; at < extent.bytes;) {
    Piece piece{transfer, &volume.file(extent.file), write};
    piece.offset = extent.offset + at;
    piece.data = data + at;
    piece.bytes =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(options_.block_bytes, extent.bytes - at));
    // A tail of less than a sector would take its whole block through the page cache.
    if (piece.bytes > sector) piece.bytes -= static_cast<std::uint32_t>(piece.bytes % sector);
    at += piece.bytes;
    add(into, std::move(piece));
  }
}

void Engine::add(std::vector<Piece>& pieces, Piece piece) const {
  piece.direct = options_.around_page_cache && piece.file->direct() >= 0 &&
                 aligned(piece.data, piece.offset, piece.bytes, piece.file->alignment());
  pieces.push_back(std::move(piece));
}

void Engine::serve() {
  while (collect()) {
    try {
      start_pieces();
      if (free_.size() == slots_.size()) continue;
      const auto begin = std::chrono::steady_clock::now();
      std::vector<Completion> completions(slots_.size());
      completions.resize(backend_->wait(completions));
      for (const Completion& completion : completions) finish(completion);
      const std::chrono::duration<double> busy = std::chrono::steady_clock::now() - begin;
      const std::lock_guard lock(mutex_);
      counters_.busy_seconds += busy.count();
    } catch (...) {
      end_all(std::current_exception());
    }
  }
}

/// Takes what arrived; blocks when nothing is on its way. False: all is done and the engine ends.
bool Engine::collect() {
  std::unique_lock lock(mutex_);
  const bool idle = free_.size() == slots_.size() && pending_.empty();
  if (idle) wanted_.wait(lock, [this] { return stopping_ || !arrived_.empty() || !chores_.empty(); });
  if (idle && stopping_ && arrived_.empty() && chores_.empty()) return false;
  std::move(arrived_.begin(), arrived_.end(), std::back_inserter(pending_));
  arrived_.clear();
  const auto chores = std::exchange(chores_, {});
  lock.unlock();
  for (const auto& chore : chores) chore();
  return true;
}

bool Engine::Transfer::may_begin() {
  if (!std::ranges::all_of(after, [](const Event& event) { return event.ready(); })) return false;
  try {
    for (const Event& event : std::exchange(after, {})) event.wait();
  } catch (...) {
    error = std::current_exception();
  }
  return true;
}

void Engine::start_pieces() {
  std::vector<Request> requests;
  std::uint64_t plain = 0;
  for (auto next = pending_.begin(); next != pending_.end() && !free_.empty();) {
    if (!next->transfer->may_begin()) {
      ++next;
      continue;
    }
    Piece piece = std::move(*next);
    next = pending_.erase(next);
    if (piece.transfer->error) {
      settle(piece, {}, 0);
      continue;
    }
    const std::uint64_t slot = free_.back();
    free_.pop_back();
    plain += piece.direct ? 0 : 1;
    requests.push_back({piece.direct ? piece.file->direct() : piece.file->plain(), piece.write, piece.offset,
                        piece.data, piece.bytes, slot, piece.transfer->point});
    slots_[slot] = std::move(piece);
  }
  if (requests.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    counters_.requests += requests.size();
    counters_.plain += plain;
  }
  backend_->submit(requests);
}

void Engine::finish(const Completion& completion) {
  Piece piece = std::move(slots_[completion.tag]);
  slots_[completion.tag] = {};
  free_.push_back(completion.tag);
  const std::int64_t result = completion.result;
  if (result == piece.bytes) {
    {
      const std::lock_guard lock(mutex_);
      (piece.write ? counters_.bytes_written : counters_.bytes_read) += piece.bytes;
    }
    return settle(piece, {}, 0);
  }
  if (result > 0 && result < piece.bytes) return go_on(std::move(piece), static_cast<std::uint32_t>(result));
  if (result == -EINVAL && piece.direct) {
    // The file system took the flag and not the request.
    piece.direct = false;
    return go_on(std::move(piece), 0);
  }
  const bool again = result == -EINTR || result == -EAGAIN || (result == 0 && piece.write);
  if (again && ++piece.attempts < options_.attempts) return go_on(std::move(piece), 0);
  if (result == 0 && !piece.write) return settle(piece, "the file is shorter than it was made", EIO);
  if (result == 0) return settle(piece, "nothing more is written", ENOSPC);
  if (result > 0) return settle(piece, "more was moved than asked for", EIO);
  const auto number = static_cast<int>(-result);
  settle(piece, backend_->describe(number), number);
}

void Engine::go_on(Piece piece, std::uint32_t moved) {
  // The rest of a direct request must be aligned as well: what the kernel moved beyond that is moved again.
  if (piece.direct) moved -= moved % std::max(piece.file->alignment().offset, 1u);
  if (moved > 0)
    piece.attempts = 0;
  else if (piece.direct && ++piece.attempts >= options_.attempts / 2)
    piece.direct = false;
  {
    const std::lock_guard lock(mutex_);
    ++counters_.resumed;
    (piece.write ? counters_.bytes_written : counters_.bytes_read) += moved;
  }
  piece.offset += moved, piece.data += moved, piece.bytes -= moved;
  pending_.push_front(std::move(piece));
}

/// Ends a piece, with an error where there is a problem; the last one ends the transfer.
void Engine::settle(Piece& piece, const std::string& problem, int number) {
  Transfer& transfer = *piece.transfer;
  if (!problem.empty() && !transfer.error) {
    const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    transfer.error = std::make_exception_ptr(Error(
        full ? ExitCode::configuration : ExitCode::requeue,
        fmt::format("NVMe tier: {} of {} bytes at {} of {} failed: {}; {}", piece.write ? "write" : "read",
                    piece.bytes, piece.offset, piece.file->path().string(), problem,
                    full ? "free some space or name another folder in offload.nvme_paths"
                         : "look at the drive (dmesg), then start again from the last checkpoint")));
  }
  if (--transfer.pieces > 0) return;
  transfer.error ? transfer.done.set_error(transfer.error) : transfer.done.set();
}

/// The backend itself has failed: nothing that it was given will come back.
void Engine::end_all(const std::exception_ptr& error) {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot].transfer) continue;
    pending_.push_back(std::move(slots_[slot]));
    slots_[slot] = {};
    free_.push_back(slot);
  }
  for (Piece& piece : pending_) {
    if (!piece.transfer->error) piece.transfer->error = error;
    settle(piece, {}, 0);
  }
  pending_.clear();
}

bool Engine::run_on_thread(const std::function<bool()>& work) {
  std::promise<bool> result;
  {
    const std::lock_guard lock(mutex_);
    chores_.emplace_back([&] { result.set_value(work()); });
  }
  wanted_.notify_one();
  backend_->wake();
  return result.get_future().get();
}

bool Engine::register_memory(std::span<std::byte> memory) {
  return run_on_thread([&] { return backend_->register_memory(memory); });
}

void Engine::forget_memory(std::span<std::byte> memory) {
  run_on_thread([&] { return backend_->forget_memory(memory), true; });
}

bool Engine::register_volume(const Volume& volume) {
  return run_on_thread([&] {
    bool all = true;
    for (int i = 0; i < volume.file_count(); ++i)
      if (volume.file(i).direct() >= 0) all &= backend_->register_file(volume.file(i).direct());
    return all;
  });
}

void Engine::forget_volume(const Volume& volume) {
  run_on_thread([&] {
    for (int i = 0; i < volume.file_count(); ++i)
      if (volume.file(i).direct() >= 0) backend_->forget_file(volume.file(i).direct());
    return true;
  });
}

EngineCounters Engine::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace trireme::offload
