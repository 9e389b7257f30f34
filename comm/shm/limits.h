#pragma once
#include <cstddef>

/// Sizes at which one way of moving data is taken for better than another: first choices, not swept yet.
namespace trireme::comm::limits {

/// Meant to be longer than a round takes when all ranks run, shorter than what putting a thread to sleep
/// would cost twice.
inline constexpr int polls_before_sleep = 2000;
/// Up to here data travel with the announcement: one meeting fewer is worth one copy more.
inline constexpr std::size_t inline_bytes = std::size_t{16} << 10;
/// The same for reductions, where each rank then reads the data of all.
inline constexpr std::size_t inline_reduced_bytes = std::size_t{32} << 10;

}  // namespace trireme::comm::limits
