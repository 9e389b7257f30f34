#pragma once
#include <cstddef>

/// Sizes at which one way of moving data is taken for better than another.
namespace trireme::comm::limits {

/// Meant to be longer than a round takes when all ranks run, shorter than what putting a thread to sleep
/// would cost twice.
inline constexpr int polls_before_sleep = 2000;
/// Up to here data travel with the announcement: one meeting fewer is worth one copy more. Compared on an Ice
/// Lake Xeon with inputs that are written anew before each call and results that are read after it.
inline constexpr std::size_t inline_bytes = std::size_t{16} << 10;
/// The same for reductions, where each rank then reads the data of all: from here on the second meeting takes
/// less than the copy, inputs that a cache holds a half to a third.
inline constexpr std::size_t inline_reduced_bytes = std::size_t{2} << 10;

}  // namespace trireme::comm::limits
