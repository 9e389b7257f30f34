#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/job_words.h"
#include "jobs/starter_job.h"
#include "jobs/write_job.h"

namespace trireme::cli {
namespace {

int show(const JobWords& words) {
  fmt::print("{}", jobs::to_yaml_with_origins(load(words)));
  return 0;
}

int check(const JobWords& words) {
  const jobs::JobSpec job = load(words);
  for (const std::string& note : job.notes) fmt::print("note: {}\n", note);
  fmt::print("{}: every key is known and every value is in range\n", words.file);
  return 0;
}

void add_reader(Command job, const char* name, const char* about, int (*work)(const JobWords&)) {
  Command command = job.subcommand(name, about);
  auto words = std::make_shared<JobWords>();
  add_job_words(command, *words);
  command.footer(fmt::format("Example: trireme job {} job.yaml learning_rate=2e-4", name));
  command.runs([words, work] { return work(*words); });
}

}  // namespace

void add_job(Command app) {
  Command job = app.subcommand("job", "Read, check and explain job files");
  job.needs_subcommand();
  job.footer("Example: trireme job check job.yaml");
  add_reader(job, "show", "Print the job as trireme understands it, defaults included", show);
  add_reader(job, "check", "Check every key and value", check);
  Command init = job.subcommand("init", "Print a job file to begin with");
  auto kind = std::make_shared<std::string>("lora");
  init.option("kind", *kind, "lora, qlora or full").shows_default();
  init.footer("Example: trireme job init qlora > job.yaml");
  init.runs([kind] { return fmt::print("{}", jobs::starter_job(*kind)), 0; });
  Command schema = job.subcommand("schema", "Print the JSON schema of job files, for editors");
  schema.footer("Example: trireme job schema > trireme-job.schema.json");
  schema.runs([] {
    fmt::print("{}\n", jobs::json_schema());
    return 0;
  });
}

}  // namespace trireme::cli
