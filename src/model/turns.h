#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include <ATen/Parallel.h>

namespace trireme::model {

/// How many threads a loop is shared by here.
inline int threads_in_turns() {
  return at::in_parallel_region() ? 1 : at::get_num_threads();
}

/// Calls `work(begin, end)` for pieces of [0, count). A thread takes the next piece when it is done with one,
/// so that a core which is slow, or busy with something else, does not hold up the others.
template <typename Work>
void take_turns(std::int64_t count, std::int64_t piece, const Work& work) {
  const int threads = threads_in_turns();
  if (threads == 1 || count <= piece) {
    if (count > 0) work(std::int64_t{0}, count);
    return;
  }
  std::atomic<std::int64_t> next{0};
  at::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
    for (std::int64_t begin; (begin = next.fetch_add(piece, std::memory_order_relaxed)) < count;)
      work(begin, std::min(begin + piece, count));
  });
}

/// Of `count`, small enough that threads end at about the same time, and no smaller.
inline std::int64_t piece_of(std::int64_t count) {
  constexpr std::int64_t pieces_a_thread = 4;
  return std::max<std::int64_t>(1, count / (pieces_a_thread * at::get_num_threads()));
}

}  // namespace trireme::model
