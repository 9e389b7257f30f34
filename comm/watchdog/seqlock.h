#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

namespace trireme::comm {

/// A value that one thread writes and other processes read from shared memory, without locks or system calls.
/// A reader never sees half of a write; it gets nothing while one is under way (which is for ever when the
/// writer was killed in the middle).
template <typename T>
class Seqlock {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0);

 public:
  static constexpr std::size_t words = sizeof(T) / sizeof(std::uint64_t);

  /// Writes words [first, first + count) of `value` alone: the others must be as they were.
  void store(const T& value, std::size_t first = 0, std::size_t count = words) noexcept {
    const std::uint64_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);
    const char* bytes = reinterpret_cast<const char*>(&value) + first * sizeof(std::uint64_t);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t word;
      std::memcpy(&word, bytes + i * sizeof(word), sizeof(word));
      words_[first + i].store(word, std::memory_order_release);
    }
    version_.store(version + 2, std::memory_order_release);
  }

  std::optional<T> load() const noexcept {
    constexpr int tries = 64;
    std::array<std::uint64_t, words> copy;
    for (int attempt = 0; attempt < tries; ++attempt) {
      const std::uint64_t before = version_.load(std::memory_order_acquire);
      if (before % 2 == 1) continue;
      for (std::size_t i = 0; i < words; ++i) copy[i] = words_[i].load(std::memory_order_acquire);
      if (version_.load(std::memory_order_relaxed) != before) continue;
      T value;
      std::memcpy(static_cast<void*>(&value), copy.data(), sizeof(T));
      return value;
    }
    return std::nullopt;
  }

 private:
  std::atomic<std::uint64_t> version_{0};
  std::array<std::atomic<std::uint64_t>, words> words_{};
};

}  // namespace trireme::comm
