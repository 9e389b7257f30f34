#pragma once
#include <exception>

#include "comm/communicator.h"

namespace trireme::sharding {

/// Every rank of `communicator` calls it, with its own failure or none; each throws the failure of the lowest
/// rank that has one.
[[noreturn]] void throw_first_failure(comm::Communicator& communicator, const std::exception_ptr& mine);

}  // namespace trireme::sharding
