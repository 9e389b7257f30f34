#pragma once
#include <string>
#include <vector>

#include "train/run_record.h"

namespace trireme::train {

/// One page that needs nothing beside it: curves of the runs over each other, how each went, what it was told
/// and where it ran. It is well-formed XML too, so that programs can read it.
std::string report_page(const std::vector<RunRecord>& runs);

}  // namespace trireme::train
