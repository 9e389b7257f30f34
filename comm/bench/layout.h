#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "comm/bench/limit.h"
#include "comm/group.h"

namespace trireme::comm::bench {

/// Which ranks work together: all of them; those of each node; or, on all nodes, those with the same place on
/// their node.
enum class Span : std::uint8_t { world, node, across };

std::string_view name_of(Span span);
Span parse_span(std::string_view name);

/// The group that `rank` is in. Throws a configuration error where `across` has no meaning: nodes with
/// different numbers of ranks.
Group group_of(Span span, const std::vector<int>& node_of_rank, int rank);
GroupShape shape_of(const Group& group, const std::vector<int>& node_of_rank);

}  // namespace trireme::comm::bench
