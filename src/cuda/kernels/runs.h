#pragma once
#include "cuda/kernels/numbers.h"

namespace trireme::cuda::on_device {

/// What the functions here are given as `group`: threads that work together, one of many such groups.
///   block(), blocks()    which of the groups this is, and of how many
///   thread(), threads()  the same within the group; `fewest` is the least that threads() can be
///   sum(value), max(value)   over the group, for each of its threads; all threads have met
///   sync()               all threads meet
template <typename Group, typename Body>
TRIREME_DEVICE void for_blocks(const Group& group, std::int64_t count, const Body& body) {
  for (std::int64_t i = group.block(); i < count; i += group.blocks()) body(i);
}

/// Calls `body(first, how many)` for elements [0, count), `width` at a time, each for one thread of one
/// group.
template <int width, typename Group, typename Body>
TRIREME_DEVICE void for_runs(const Group& group, std::int64_t count, const Body& body) {
  const std::int64_t all = group.blocks() * group.threads() * width;
  for (std::int64_t i = (group.block() * group.threads() + group.thread()) * width; i < count; i += all)
    body(i, count - i < width ? static_cast<int>(count - i) : width);
}

/// The same for a row that one group has to itself.
template <int width, typename Group, typename Body>
TRIREME_DEVICE void for_runs_of_row(const Group& group, std::int64_t count, const Body& body) {
  for (std::int64_t i = static_cast<std::int64_t>(group.thread()) * width; i < count;
       i += static_cast<std::int64_t>(group.threads()) * width)
    body(i, count - i < width ? static_cast<int>(count - i) : width);
}

/// The same, with a first argument that counts a thread's turns up to `counted` and then stays: what is kept
/// of so many turns is kept in registers.
template <int width, int counted, typename Group, typename Body>
TRIREME_DEVICE void for_turns_of_row(const Group& group, std::int64_t count, const Body& body) {
  const std::int64_t step = static_cast<std::int64_t>(group.threads()) * width;
  std::int64_t i = static_cast<std::int64_t>(group.thread()) * width;
  for (int turn = 0; turn < counted; ++turn, i += step)
    if (i < count) body(turn, i, count - i < width ? static_cast<int>(count - i) : width);
  for (; i < count; i += step) body(counted, i, count - i < width ? static_cast<int>(count - i) : width);
}

/// How many groups a launch needs for each thread to have one run.
template <typename Kernel>
std::int64_t groups_for(std::int64_t count) {
  const std::int64_t each = std::int64_t{Kernel::threads} * Kernel::width;
  return (count + each - 1) / each;
}

}  // namespace trireme::cuda::on_device
