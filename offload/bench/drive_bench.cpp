#include "offload/bench/drive_bench.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "offload/host/pinned_source.h"
#include "offload/nvme/engine.h"

namespace trireme::offload::bench {
namespace {

/// One transfer of all bytes, from and to a memory that is smaller than they are.
void move(Engine& engine, const Volume& volume, std::span<std::byte> memory, bool write) {
  std::vector<Event> moving;
  for (std::uint64_t at = 0; at < volume.bytes(); at += memory.size()) {
    const auto piece = memory.first(std::min<std::uint64_t>(memory.size(), volume.bytes() - at));
    moving.push_back(write ? engine.write(volume, at, piece) : engine.read(volume, at, piece));
  }
  for (const Event& event : moving) event.wait();
}

}  // namespace

std::vector<Record> measure_drives(const DriveOptions& options) {
  const Volume volume(options.folders, options.bytes);
  if (volume.file(0).direct() < 0)
    log::warning("{} has no access around the page cache: what is measured is memory",
                 options.folders[0].string());
  const Buffer memory =
      LockedPages(HostMemoryOptions{}).reserve(std::min<std::uint64_t>(options.bytes, 64 << 20));
  for (std::size_t i = 0; i < memory.bytes(); ++i) memory.as<char>()[i] = static_cast<char>(i * 31 >> 3);
  const std::span<std::byte> span(memory.as<std::byte>(), memory.bytes());
  std::vector<Record> records;
  for (const std::string& backend : options.backends) {
    for (const unsigned depth : options.depths)
      for (const std::uint64_t block : options.blocks) {
        Engine engine(make_backend(backend, depth), {.block_bytes = static_cast<std::uint32_t>(block)});
        engine.register_volume(volume);
        engine.register_memory(span);
        for (const bool write : {true, false}) {
          Record record{.what = write ? "nvme_write" : "nvme_read", .backend = std::string(engine.backend())};
          record.block_bytes = block, record.depth = engine.depth();
          record.bytes = options.bytes;
          record.seconds = median_seconds(options.rounds, [&] { move(engine, volume, span, write); });
          records.push_back(record);
        }
      }
  }
  for (const char* what : {"nvme_write", "nvme_read"}) {
    double best = 0;
    for (const Record& record : records)
      if (record.what == what) best = std::max(best, record.gb_s());
    for (Record& record : records)
      if (record.what == what) record.limit_gb_s = best;
  }
  return records;
}

}  // namespace trireme::offload::bench
