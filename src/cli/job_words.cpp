#include "cli/job_words.h"

#include <yaml-cpp/yaml.h>

#include "jobs/read_job.h"

namespace trireme::cli {
std::string assignment(const std::string& key, const std::string& value) {
  YAML::Emitter out;
  out << YAML::DoubleQuoted << value;
  return key + "=" + out.c_str();
}

void add_job_words(Command command, JobWords& words) {
  command.option("job.yaml", words.file, "The job file; Axolotl's keys are known").required();
  command.option("key=value", words.overrides, "Changes to it: learning_rate=2e-4 slurm.nodes=2");
  command.option("--deepspeed", words.deepspeed, "A DeepSpeed JSON whose settings count too").existing_file();
  command.option("--accelerate", words.accelerate, "A YAML of `accelerate config` whose settings count too")
      .existing_file();
}

jobs::JobSpec load(const JobWords& words) {
  std::vector<std::string> all;
  if (!words.deepspeed.empty()) all.push_back(assignment("deepspeed", words.deepspeed));
  if (!words.accelerate.empty()) all.push_back(assignment("accelerate", words.accelerate));
  all.insert(all.end(), words.overrides.begin(), words.overrides.end());
  return jobs::load_job(words.file, all);
}

}  // namespace trireme::cli
