#pragma once
#include <string>

namespace trireme::cli {

/// What a job needs of each of its nodes.
struct HealthWords {
  std::string run_folder;
  int gpus = 0;
};

/// One rank on each node looks at its GPUs, disks, clock and links. Names of nodes that fail go to standard
/// output, reasons to the log, figures to `log/health.jsonl` of the run folder. 75: a node failed.
int check_health(const HealthWords& words);

}  // namespace trireme::cli
