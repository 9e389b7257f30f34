#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "comm/topology.h"

namespace trireme::comm {

/// The kernel's text files as values: pure functions over text, quiet about what they do not know.

/// "0-3,8" → 0 1 2 3 8; nothing when the text is malformed.
std::optional<std::vector<int>> parse_cpu_list(std::string_view text);
/// A whole number with blanks around it; nothing for anything else.
std::optional<long long> parse_number(std::string_view text);
/// /sys/devices/system/node/node*/distance: "10 21"; empty when malformed.
std::vector<int> parse_distances(std::string_view text);
/// /sys/class/net/*/speed counts megabits and says -1 where the driver does not know; 0 then.
double parse_speed_gigabits(std::string_view text);
/// /sys/class/infiniband/*/ports/*/rate: "100 Gb/sec (4X EDR)" → 100; 0 when malformed.
double parse_infiniband_rate(std::string_view text);
/// The value of a "Key: value" line, without the blanks around it; empty when there is no such line.
std::string value_of_line(std::string_view text, std::string_view key);

/// The GPUs that CUDA_VISIBLE_DEVICES leaves of `all`, in its order: indices, UUID prefixes ("GPU-…"), slices
/// ("MIG-…"). Like CUDA, stops at the first entry that names no GPU. Unset: all.
std::vector<Gpu> visible_gpus(const std::vector<Gpu>& all,
                              const std::optional<std::string>& cuda_visible_devices);

}  // namespace trireme::comm
