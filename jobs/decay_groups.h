#pragma once
#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "jobs/job_spec.h"

namespace trireme::jobs {

/// `weight_decay_groups`: a list of {match, weight_decay}; `where` names it in errors.
std::vector<DecayGroup> read_decay_groups(const std::string& where, const YAML::Node& value);
void write_decay_groups(YAML::Emitter& out, const std::vector<DecayGroup>& groups);
boost::json::value decay_groups_schema();

}  // namespace trireme::jobs
