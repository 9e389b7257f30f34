#pragma once
#include "comm/two_level/layout.h"

namespace trireme::comm {

/// The ranks of `group` on the node of its member `index`, in group order.
Group node_group(const Group& group, const NodeLayout& layout, int index);
/// The lane of member `index`, in node order; the member alone when it is in no lane.
Group lane_group(const Group& group, const NodeLayout& layout, int index);

}  // namespace trireme::comm
