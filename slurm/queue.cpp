#include "slurm/queue.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "core/process.h"

namespace trireme::slurm {
namespace {

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string run_or_fail(const std::vector<std::string>& words, const std::string& input = "") {
  const ProcessResult result = run_process(words, input);
  if (result.status != 0)
    fail(ExitCode::configuration, "{} refused: {}", words[0], first_line(result.errors));
  return result.output;
}

void require_job_id(const std::string& id) {
  const bool fine = !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) || c == '_';
  });
  if (!fine) fail(ExitCode::usage, "'{}' is not a Slurm job id", id);
}

/// Output goes to RUN/log/slurm-ID.log.
std::string run_folder_of(const std::string& output) {
  const std::size_t marker = output.rfind("/log/slurm-");
  return marker == std::string::npos ? "" : output.substr(0, marker);
}

}  // namespace

std::string submit(const std::string& script) {
  const std::string answer = run_or_fail({"sbatch", "--parsable"}, script);
  std::string id = answer.substr(0, answer.find_first_of(";\n"));
  require_job_id(id);
  return id;
}

std::string scontrol_value(const std::string& text, const std::string& key) {
  const std::string wanted = key + "=";
  for (std::size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) {
    if (at != 0 && !std::isspace(static_cast<unsigned char>(text[at - 1]))) continue;
    const std::size_t begin = at + wanted.size();
    return text.substr(begin, text.find_first_of(" \n", begin) - begin);
  }
  return "";
}

JobState find_job(const std::string& id) {
  require_job_id(id);
  const ProcessResult shown = run_process({"scontrol", "--oneliner", "show", "job", id});
  if (shown.status != 0)
    fail(ExitCode::usage, "Slurm does not know job {}: {}", id, first_line(shown.errors));
  const auto value = [&](const char* key) { return scontrol_value(shown.output, key); };
  return {id,
          value("JobName"),
          value("JobState"),
          value("Reason"),
          value("NodeList"),
          value("RunTime"),
          value("Restarts"),
          run_folder_of(value("StdOut"))};
}

void cancel(const std::string& id) {
  require_job_id(id);
  run_or_fail({"scancel", id});
}

void requeue(const std::string& id) {
  require_job_id(id);
  run_or_fail({"scontrol", "requeue", id});
}

bool is_final(const std::string& state) {
  for (const char* ended :
       {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL"})
    if (state.starts_with(ended)) return true;
  return false;
}

}  // namespace trireme::slurm
