#pragma once
#include <cstdint>

#include "sharding/blueprint.h"
#include "sharding/schedule.h"

namespace trireme::sharding {

/// Bytes of a buffer of the ring through which state on NVMe is updated; 0: none goes through one.
std::uint64_t part_bytes(const ScheduleFacts& facts);

/// How many parts the ring holds where `left` bytes stay free beside the one that `options` say. Before the
/// norm of all gradients is known no update frees a buffer, so that forward and backward hide the reads of so
/// many parts and no more: half of what is free is theirs, but for what a checkpoint takes. An update that
/// waits for no norm needs none of it.
int parts_with_room(const ScheduleFacts& facts, const ScheduleOptions& options, std::uint64_t left);

}  // namespace trireme::sharding
