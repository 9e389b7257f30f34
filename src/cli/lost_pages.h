#pragma once

namespace trireme::cli {

/// A page of a mapped file that cannot be had is a bus error, with no word of why: the drive under it is
/// broken or gone, or the memory file system is full. From now on such an end names the file in one sentence
/// and has the exit code of its cause.
void name_lost_pages();

}  // namespace trireme::cli
