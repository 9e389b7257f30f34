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

/// The first half of the volume is read while the second is written, request by request in turns.
void move_both(Engine& engine, const Volume& volume, std::span<std::byte> memory, std::uint64_t block) {
  const std::uint64_t half = volume.bytes() / 2 / block * block, room = memory.size() / 2 / block * block;
  std::vector<Event> moving;
  for (std::uint64_t at = 0; at < half; at += block) {
    moving.push_back(engine.read(volume, at, memory.subspan(at % room, block)));
    moving.push_back(engine.write(volume, half + at, memory.subspan(room + at % room, block)));
  }
  for (const Event& event : moving) event.wait();
}

/// Which way a transfer goes, in the words of a record.
struct Ways {
  const char* write;
  const char* read;
  const char* both;
};
constexpr Ways on_host{"nvme_write", "nvme_read", "nvme_both"},
    on_device{"gpu_to_nvme", "nvme_to_gpu", "nvme_and_gpu"};

void measure_backend(const DriveOptions& options, const Volume& volume, std::span<std::byte> memory,
                     const std::string& backend, Device* device, std::vector<Record>& records) {
  const Ways& ways = device ? on_device : on_host;
  for (const unsigned depth : options.depths)
    for (const std::uint64_t block : options.blocks) {
      const auto block_bytes = static_cast<std::uint32_t>(block);
      Buffer meeting = device ? device->allocate_pinned(meeting_bytes(depth, block_bytes)) : Buffer{};
      Engine engine(make_backend(backend, depth, device, std::move(meeting)), {.block_bytes = block_bytes});
      engine.register_volume(volume);
      engine.register_memory(memory);
      for (const bool write : {true, false}) {
        Record record{.what = write ? ways.write : ways.read, .backend = std::string(engine.backend())};
        record.block_bytes = block, record.depth = engine.depth();
        record.bytes = options.bytes;
        record.seconds = median_seconds(options.rounds, [&] { move(engine, volume, memory, write); });
        records.push_back(record);
      }
      if (memory.size() >= 2 * block) {
        Record record{.what = ways.both, .backend = std::string(engine.backend())};
        record.block_bytes = block, record.depth = engine.depth();
        record.bytes = options.bytes / 2 / block * 2 * block;
        record.seconds = median_seconds(options.rounds, [&] { move_both(engine, volume, memory, block); });
        records.push_back(record);
      }
      engine.forget_memory(memory);
      engine.forget_volume(volume);
    }
}

void set_limits(std::vector<Record>& records, const Ways& ways) {
  for (const char* what : {ways.write, ways.read, ways.both}) {
    double best = 0;
    for (const Record& record : records)
      if (record.what == what) best = std::max(best, record.gb_s());
    for (Record& record : records)
      if (record.what == what) record.limit_gb_s = best;
  }
}

Volume make_volume(const DriveOptions& options) {
  Volume volume(options.folders, options.bytes);
  if (volume.file(0).direct() < 0)
    log::warning("{} has no access around the page cache: what is measured is memory",
                 options.folders[0].string());
  return volume;
}

std::uint64_t memory_bytes(const DriveOptions& options) {
  return std::min<std::uint64_t>(options.bytes, 64 << 20);
}

}  // namespace

std::vector<Record> measure_drives(const DriveOptions& options) {
  const Volume volume = make_volume(options);
  const Buffer memory = LockedPages(HostMemoryOptions{}).reserve(memory_bytes(options));
  for (std::size_t i = 0; i < memory.bytes(); ++i) memory.as<char>()[i] = static_cast<char>(i * 31 >> 3);
  const std::span<std::byte> span(memory.as<std::byte>(), memory.bytes());
  std::vector<Record> records;
  for (const std::string& backend : options.backends)
    measure_backend(options, volume, span, backend, nullptr, records);
  set_limits(records, on_host);
  return records;
}

std::vector<Record> measure_device_drives(const DriveOptions& options, Device& device) {
  const Volume volume = make_volume(options);
  const Buffer memory = device.allocate(memory_bytes(options));
  const auto stream = device.make_stream();
  stream->fill(memory.data(), 0x5a, memory.bytes());
  stream->finish();
  const std::span<std::byte> span(memory.as<std::byte>(), memory.bytes());
  std::vector<Record> records;
  try {
    measure_backend(options, volume, span, "cufile", &device, records);
  } catch (const Error& refusal) {
    if (refusal.code() != ExitCode::configuration) throw;
    records = {{.what = on_device.read, .backend = "cufile", .missing = refusal.what()}};
  }
  for (const std::string& backend : options.backends)
    measure_backend(options, volume, span, backend, &device, records);
  set_limits(records, on_device);
  return records;
}

std::vector<Record> missing_device_drives(const std::string& why) {
  return {{.what = on_device.read, .backend = "cufile", .missing = why}};
}

}  // namespace trireme::offload::bench
