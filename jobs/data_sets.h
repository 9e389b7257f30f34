#pragma once
#include <boost/json/value.hpp>
#include <string>

#include <yaml-cpp/yaml.h>

#include "jobs/job_spec.h"

namespace trireme::jobs {

/// One entry of `datasets`; `where` names it in errors.
DataSet read_data_set(const std::string& where, const YAML::Node& entry);
void write_data_set(YAML::Emitter& out, const DataSet& set);
/// The JSON schema of an entry.
boost::json::value data_set_schema();

/// A list of words, or one; throws an Error (configuration) that names `where`.
std::vector<std::string> read_words(const std::string& where, const YAML::Node& value);

}  // namespace trireme::jobs
