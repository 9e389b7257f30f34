#pragma once
#include <vector>

#include "jobs/read_yaml.h"

namespace trireme::jobs {

/// "datasets[0].path=rows.jsonl" changes one value of a list that the job file has: such settings go into the
/// list that was said last before them, and out of `settings`.
void change_entries(std::vector<Setting>& settings);

}  // namespace trireme::jobs
