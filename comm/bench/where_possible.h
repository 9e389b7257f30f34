#pragma once
#include "comm/bench/everyone.h"
#include "core/error.h"

namespace trireme::comm::bench {

/// What `make` makes, or null on all ranks where it is refused on one of them as not possible here.
template <typename Make>
auto where_possible(const Everyone& everyone, Make make) -> decltype(make()) {
  decltype(make()) made;
  try {
    made = make();
  } catch (const Error& error) {
    if (error.code() != ExitCode::usage && error.code() != ExitCode::configuration) throw;
  }
  if (!everyone.all_of(made != nullptr)) made.reset();
  return made;
}

}  // namespace trireme::comm::bench
