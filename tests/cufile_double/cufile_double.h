#pragma once
#include <cstddef>
#include <cstdint>

// The library `cufile_double` has cuFile's symbols over pread and pwrite on host memory. What runs in streams
// is given to the double of CUDA, so nothing is done yet when a call returns, and sizes and offsets are read
// late. It is strict: what real cuFile forgives or crashes at is counted as a misuse.

/// What goes wrong, once it is armed.
enum class CufileFault : int {
  none,
  result,  ///< a transfer leaves `value` as its byte count; of a count above zero that much is really moved
  submit,  ///< a transfer is not taken, with the code `value`
  file,    ///< a file is not registered, with the code `value`
  memory,  ///< memory is not registered, with the code `value`
  stream,  ///< a stream is not registered, with the code `value`
  driver,  ///< the driver does not open, with the code `value`
  slow_driver  ///< the driver opens after `value` milliseconds
};

struct CufileCounts {
  long reads = 0, writes = 0;
  /// Of these, from or to memory that was not registered.
  long unregistered = 0;
  long files = 0, memories = 0, streams = 0, opens = 0;  ///< alive
  long most_under_way = 0;
  long misuses = 0;
};

extern "C" {
/// How work enters a stream.
void cufile_double_connect(void (*post)(void* stream, void (*work)(void*), void* about));
/// The `at`-th call (from 0) of the kind that the fault concerns goes wrong; every one when it is negative.
void cufile_double_arm(CufileFault fault, long at, std::int64_t value);
/// Whether it stands in compatibility mode.
void cufile_double_allow_detours(bool allowed);
CufileCounts cufile_double_counts();
/// The last misuse in words; empty when there was none.
const char* cufile_double_misuse();
void cufile_double_reset();
}
