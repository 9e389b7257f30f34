#pragma once
#include <string>
#include <vector>

#include "jobs/job_spec.h"
#include "jobs/read_yaml.h"

namespace trireme::jobs {

/// `placement: zero3`, or a section with `preset` and, for each class of state, its span, tier, codec and
/// wire. False: the setting's name is not one of the section's.
bool apply_placement(const Setting& setting, PlacementChoice& choice);
/// "placement.preset", "placement.parameters.span", …
const std::vector<std::string>& placement_key_names();

}  // namespace trireme::jobs
