#include "offload/bench/memory_bench.h"

#include <algorithm>
#include <cstring>

#include "comm/simd/copy.h"
#include "offload/bench/traffic.h"
#include "offload/host/numa.h"
#include "offload/host/pinned_source.h"
#include "offload/optimizer/team.h"

namespace trireme::offload::bench {
namespace {

std::vector<int> cores_for(int threads) {
  const std::vector<int> allowed = allowed_cores();
  std::vector<int> cores;
  for (int i = 0; i < threads; ++i)
    cores.push_back(allowed.empty() ? 0 : allowed[static_cast<std::size_t>(i) % allowed.size()]);
  return cores;
}

/// Filled with numbers, for zeros flatter.
template <typename T>
Buffer filled(LockedPages& source, std::int64_t count, T first, T step) {
  Buffer buffer = source.reserve(static_cast<std::size_t>(count) * sizeof(T));
  T* values = buffer.as<T>();
  for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<T>(first + static_cast<T>(i % 251) * step);
  return buffer;
}

/// All that an update of `count` parameters touches.
struct Memory {
  explicit Memory(std::int64_t parameters)
      : count(parameters),
        master(filled(source, count, 0.5f, 1e-3f)),
        gradient(filled(source, count, -0.1f, 1e-3f)),
        mean(filled(source, count, 0.0f, 1e-4f)),
        square(filled(source, count, 1e-6f, 1e-6f)),
        half_gradient(source.reserve(static_cast<std::size_t>(count) * sizeof(BFloat16))),
        copy(source.reserve(static_cast<std::size_t>(count) * sizeof(BFloat16))),
        lower(filled(source, count, std::uint16_t{0}, std::uint16_t{257})),
        scales(source.reserve(static_cast<std::size_t>(2 * (count / state_block + 1)) * sizeof(float))) {
    for (std::int64_t i = 0; i < count; ++i)
      half_gradient.as<BFloat16>()[i] = BFloat16(gradient.as<float>()[i]);
  }
  AdamWRun run_in_halves(std::int64_t begin, std::int64_t end) {
    AdamWRun made = run(DType::bf16, true, begin, end);
    made.master = nullptr, made.lower = lower.as<std::uint16_t>() + begin;
    return made;
  }
  AdamWRun run(DType gradient_type, bool with_copy, std::int64_t begin, std::int64_t end) {
    AdamWRun made;
    made.master = master.as<float>() + begin, made.mean = mean.as<float>() + begin;
    made.square = square.as<float>() + begin;
    made.gradient = gradient_type == DType::bf16
                        ? static_cast<const void*>(half_gradient.as<BFloat16>() + begin)
                        : gradient.as<float>() + begin;
    made.gradient_type = gradient_type;
    if (with_copy) made.copy = copy.as<BFloat16>() + begin;
    made.copy_type = DType::bf16;
    made.count = end - begin;
    return made;
  }
  /// The same with 8-bit state.
  AdamW8Run run8(const AdamWRun& run, std::int64_t begin, std::int64_t end) {
    AdamW8Run made;
    static_cast<UpdatedValues&>(made) = run;
    made.gradient = run.gradient, made.gradient_type = run.gradient_type;
    made.mean = mean.as<std::uint8_t>() + begin, made.square = square.as<std::uint8_t>() + begin;
    made.mean_scale = scales.as<float>() + begin / state_block;
    made.square_scale = scales.as<float>() + count / state_block + 1 + begin / state_block;
    made.count = end - begin;
    return made;
  }

  LockedPages source{HostMemoryOptions{}};
  std::int64_t count;
  Buffer master, gradient, mean, square, half_gradient, copy, lower, scales;
};

}  // namespace

std::vector<Record> measure_copies(const MemoryOptions& options) {
  LockedPages source{HostMemoryOptions{}};
  const Buffer from =
      filled<float>(source, static_cast<std::int64_t>(options.copy_bytes / sizeof(float)), 1, 0.5f);
  const Buffer to = source.reserve(options.copy_bytes);
  std::memset(to.data(), 1, options.copy_bytes);
  std::vector<Record> records;
  for (const int threads : options.threads) {
    Team team(cores_for(threads));
    Record record{.what = "host_copy", .backend = std::string(source.kind()), .threads = threads};
    record.bytes = 2 * options.copy_bytes;
    record.seconds = median_seconds(options.rounds, [&] {
      team.for_ranges(static_cast<std::int64_t>(options.copy_bytes), 4096,
                      [&](std::int64_t begin, std::int64_t end) {
                        comm::simd::copy(to.as<std::byte>() + begin, from.as<std::byte>() + begin,
                                         static_cast<std::size_t>(end - begin));
                      });
    });
    records.push_back(record);
  }
  double best = 0;
  for (const Record& record : records) best = std::max(best, record.gb_s());
  for (Record& record : records) record.limit_gb_s = best;
  return records;
}

std::vector<Record> measure_updates(const MemoryOptions& options) {
  Memory memory(options.parameters);
  std::vector<Record> records;
  constexpr std::int64_t granule = 4096;
  for (const int threads : options.threads) {
    Team team(cores_for(threads));
    std::int64_t step = 0;
    const auto measure = [&](const char* what, const char* types, std::uint64_t bytes_each,
                             const auto& update, const auto& traffic) {
      Record record{.what = what, .backend = types, .threads = threads};
      record.bytes = bytes_each * static_cast<std::uint64_t>(memory.count);
      const auto [seconds, least] = medians_in_turns(
          options.rounds, [&] { team.for_ranges(memory.count, granule, update); },
          [&] { team.for_ranges(memory.count, granule, traffic); });
      record.seconds = seconds;
      record.limit_gb_s = static_cast<double>(record.bytes) / least / 1e9;
      record.parameters_per_s = static_cast<double>(memory.count) / seconds;
      records.push_back(record);
    };
    const auto factors = [&] {
      return AdamWFactors(
          {.learning_rate = 1e-4, .weight_decay = 0.01, .gradient_scale = 0.5, .step = step + 1});
    };
    for (const auto& [type, copy] : {std::pair{DType::f32, false}, std::pair{DType::bf16, true}})
      measure(
          "adamw", copy ? "bf16 to bf16" : "fp32", 28,
          [&](std::int64_t b, std::int64_t e) { adamw(factors(), memory.run(type, copy, b, e)); },
          [&](std::int64_t b, std::int64_t e) { adamw_traffic(memory.run(type, copy, b, e)); });
    measure(
        "adamw_split", "bf16 to halves", 26,
        [&](std::int64_t b, std::int64_t e) { adamw(factors(), memory.run_in_halves(b, e)); },
        [&](std::int64_t b, std::int64_t e) { adamw_traffic(memory.run_in_halves(b, e)); });
    // Codes of any value are numbers, but scales must be some.
    std::memset(memory.scales.data(), 0, memory.scales.bytes());
    const auto whole = [&](std::int64_t b, std::int64_t e) {
      return memory.run8(memory.run(DType::f32, false, b, e), b, e);
    };
    const auto in_halves = [&](std::int64_t b, std::int64_t e) {
      return memory.run8(memory.run_in_halves(b, e), b, e);
    };
    measure(
        "adamw8", "fp32", 16, [&](std::int64_t b, std::int64_t e) { adamw8(factors(), whole(b, e)); },
        [&](std::int64_t b, std::int64_t e) { adamw8_traffic(whole(b, e)); });
    measure(
        "adamw8_split", "bf16 to halves", 14,
        [&](std::int64_t b, std::int64_t e) { adamw8(factors(), in_halves(b, e)); },
        [&](std::int64_t b, std::int64_t e) { adamw8_traffic(in_halves(b, e)); });
  }
  return records;
}

}  // namespace trireme::offload::bench
