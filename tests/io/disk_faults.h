#pragma once

// The library `disk_faults` stands between the program that links it and the C library's file calls, so that
// HDF5's own writes fail too.

enum class DiskFault : int {
  none,
  no_space,     ///< this call and all later ones, as on a full disk
  io_error,     ///< this call alone
  short_write,  ///< half of it is written
  lost_write,   ///< reported as written
  flipped_bit,  ///< written with another bit somewhere
  kill          ///< the process ends at this call
};

extern "C" {
/// From now on the `at`-th call (from 1) that changes something below the folder fails so.
void disk_faults_arm(const char* folder, DiskFault fault, long at);
/// Calls below the folder since it was armed.
long disk_faults_calls();
/// Whether two names can be exchanged, as some network file systems cannot.
void disk_faults_allow_swaps(bool allowed);
}
