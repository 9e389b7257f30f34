#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "core/dtype.h"
#include "sharding/master_values.h"
#include "sharding/unit.h"

namespace trireme::sharding {

class ArrayLane;
class StatePipe;

/// A run of elements of one parameter's state that this rank holds: "parameter", or the name of an
/// optimizer's state. Its values are of `dtype` for all who read and write them, however they are kept.
struct StateSlice {
  const Parameter* parameter = nullptr;
  std::string state;
  std::int64_t begin = 0;
  std::int64_t count = 0;
  DType dtype = DType::f32;
  /// Null where the values are kept in `halves`.
  std::byte* data = nullptr;
  MasterValues halves{};
  /// By what the values are reached; null: they lie in the host's memory.
  ArrayLane* lane = nullptr;
  /// Where some of the values may lie on NVMe and are mapped; null: none does.
  StatePipe* pipe = nullptr;
  /// How many of the parameter's elements share one of the state's.
  std::int64_t elements_each = 1;
  /// Which of how many ranks that hold the same this one is.
  int replica = 0, replicas = 1;
  bool trainable = true;
  int group = 0;

  /// Of its values.
  std::size_t bytes() const { return static_cast<std::size_t>(count) * size_of(dtype); }
  StateSlice part(std::int64_t at, std::int64_t elements) const;
  /// Bytes of its values from byte `at` on.
  void read(std::size_t at, std::span<std::byte> into) const;
  /// All of it, to where it is not wanted in the caches.
  void read_past_caches(std::byte* into) const;
  /// Whole values from byte `at` on.
  void write(std::size_t at, std::span<const std::byte> from) const;
  /// Its values as they lie in the host's own memory; empty where they do not.
  std::span<std::byte> in_host_memory() const;
  /// All ranks of a communicator of the host's memory get what one of them holds.
  void hand_on(comm::Communicator& ranks, int from) const;

 private:
  bool on_nvme() const;
  void fetch(void* into, const void* from, std::size_t count) const;
};

}  // namespace trireme::sharding
