#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/event.h"
#include "offload/nvme/backend.h"
#include "offload/nvme/volume.h"

namespace trireme::offload {

struct EngineOptions {
  /// The largest request; a transfer is cut into these.
  std::uint32_t block_bytes = usual_block_bytes;
  /// Off: all goes through it. Transfers on both sides of it at once do not see each other where they share a
  /// folio, which may be many pages long.
  bool around_page_cache = true;
  /// How often in a row a request may be interrupted or move nothing before that is an error.
  int attempts = 64;
};

/// What an engine has done so far.
struct EngineCounters {
  std::uint64_t bytes_read = 0, bytes_written = 0;
  std::uint64_t requests = 0;
  std::uint64_t resumed = 0;  ///< requests that were interrupted or fell short, and went on
  std::uint64_t plain = 0;  ///< requests through the page cache: unaligned, or the file system is not direct
  double busy_seconds = 0;  ///< while anything was on its way
};

/// Reads and writes volumes asynchronously. A thread of its own keeps as many requests on their way as the
/// backend takes; what falls short is continued, what fails ends its transfer alone.
class Engine {
 public:
  explicit Engine(std::unique_ptr<Backend> backend, EngineOptions options = {});
  /// Waits for what is on its way.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Volume and memory stay until the event is set; it carries an error that names file, place and cause.
  /// Memory and offsets at multiples of 4 KiB go around the page cache, anything else through it.
  /// A read begins when `after`, earlier transfers of this engine, have ended, and fails where one of them
  /// did.
  Event read(const Volume& volume, std::uint64_t offset, std::span<std::byte> into,
             std::vector<Event> after = {});
  Event write(const Volume& volume, std::uint64_t offset, std::span<const std::byte> from);
  /// The same of a device's memory, which is touched once the device has passed `point`; it stays as it is
  /// until the event is set.
  Event read(const Volume& volume, std::uint64_t offset, std::span<std::byte> into, const DeviceEvent& point);
  Event write(const Volume& volume, std::uint64_t offset, std::span<const std::byte> from,
              const DeviceEvent& point);

  /// Until `forget`, transfers of this memory and this volume save the kernel work. False: registered in part
  /// or not at all, because a limit stands in the way; everything works as well.
  bool register_memory(std::span<std::byte> memory);
  bool register_volume(const Volume& volume);
  void forget_memory(std::span<std::byte> memory);
  void forget_volume(const Volume& volume);

  std::string_view backend() const { return backend_->name(); }
  unsigned depth() const { return backend_->depth(); }
  EngineCounters counters() const;

 private:
  /// One read or write of a user, done when all its pieces are.
  struct Transfer {
    Event done;
    std::size_t pieces = 0;
    std::exception_ptr error;
    std::vector<Event> after;
    const DeviceEvent* point = nullptr;
    bool may_begin();
  };
  struct Piece {
    std::shared_ptr<Transfer> transfer;
    const SpillFile* file = nullptr;
    bool write = false, direct = false;
    std::uint64_t offset = 0;
    std::byte* data = nullptr;
    std::uint32_t bytes = 0;
    int attempts = 0;
  };
  Event post(const Volume& volume, std::uint64_t offset, std::byte* data, std::uint64_t bytes, bool write,
             std::vector<Event> after, const DeviceEvent* point = nullptr);
  void cut(const std::shared_ptr<Transfer>& transfer, const Volume& volume, const Extent& extent,
           std::byte* data, bool write, std::vector<Piece>& into) const;
  void add(std::vector<Piece>& pieces, Piece piece) const;
  bool run_on_thread(const std::function<bool()>& work);
  void serve();
  bool collect();
  void start_pieces();
  void finish(const Completion& completion);
  void go_on(Piece piece, std::uint32_t moved);
  void settle(Piece& piece, const std::string& problem, int number);
  void end_all(const std::exception_ptr& error);

  std::unique_ptr<Backend> backend_;
  EngineOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable wanted_;
  std::vector<Piece> arrived_;
  std::vector<std::function<void()>> chores_;
  bool stopping_ = false;
  EngineCounters counters_;

  /// The thread's own.
  std::deque<Piece> pending_;
  std::vector<Piece> slots_;
  std::vector<std::uint64_t> free_;
  std::thread thread_;
};

}  // namespace trireme::offload
