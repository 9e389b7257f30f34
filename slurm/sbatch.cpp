#include "slurm/sbatch.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include <fmt/format.h>

#include "core/error.h"

namespace trireme::slurm {
namespace {

bool is_name_letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

/// sbatch splits its comment lines at blanks and knows no quoting that all versions share.
void refuse_unprintable(std::string_view key, std::string_view value) {
  const bool fine = std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c != 0x7f && std::string_view("\"'\\#").find(c) == std::string_view::npos;
  });
  if (!fine)
    fail(ExitCode::configuration,
         "slurm.{}: '{}' has a blank, quote, backslash, # or control character, which an #SBATCH line cannot "
         "carry",
         key, value);
}

void require_one_of(const std::string& binding, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), binding) == known.end())
    fail(ExitCode::configuration, "slurm.binding: '{}' is not one of none, cores, ldoms, sockets", binding);
}

class Lines {
 public:
  void option(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    refuse_unprintable(key, value);
    raw(fmt::format("#SBATCH --{}={}", key, value));
  }
  void option(std::string_view key, std::optional<int> value) {
    if (value) option(key, std::to_string(*value));
  }
  void raw(std::string_view line) { (text_ += line) += '\n'; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// sbatch replaces %j, %u and the like in the name of its output; %% is a plain %.
std::string without_patterns(const std::string& path) {
  std::string out;
  for (const char letter : path) out += letter == '%' ? "%%" : std::string(1, letter);
  return out;
}

void add_resources(Lines& lines, const BatchJob& job) {
  lines.option("job-name", job.name);
  lines.option("nodes", job.nodes);
  lines.option("ntasks-per-node", job.ranks_per_node);
  lines.option("gpus-per-node", job.gpus_per_node);
  lines.option("cpus-per-task", job.cpus_per_rank);
  lines.option("mem", job.memory_per_node);
  lines.option("time", job.time_limit);
  lines.option("partition", job.partition);
  lines.option("account", job.account);
  lines.option("qos", job.qos);
  lines.option("reservation", job.reservation);
  lines.option("constraint", job.constraint);
  lines.option("dependency", job.dependency);
  lines.option("exclude", job.exclude);
  lines.option("signal", fmt::format("USR1@{}", job.warning.count()));
  require_one_of(job.binding, {"", "none", "cores", "ldoms", "sockets"});
  lines.option("output", without_patterns(job.run_folder) + "/log/slurm-%j.log");
  lines.option("open-mode", "append");
  lines.raw(job.requeue ? "#SBATCH --requeue" : "#SBATCH --no-requeue");
}

/// Slurm requeues by itself when a node fails or the job is preempted, and knows no limit.
void add_limit(Lines& lines, const BatchJob& job) {
  if (job.max_requeues == 0) return;
  lines.raw(fmt::format("if [ \"${{SLURM_RESTART_COUNT:-0}}\" -gt {} ]; then", job.max_requeues));
  lines.raw(fmt::format("  echo \"trireme: the job was requeued {} times and stops here\" >&2\n  exit 75\nfi",
                        job.max_requeues));
}

void add_environment(Lines& lines, const BatchJob& job) {
  for (const std::string& pair : job.environment) {
    const std::string name = pair.substr(0, pair.find('='));
    const bool valid = name.size() < pair.size() && !name.empty() &&
                       !std::isdigit(static_cast<unsigned char>(name[0])) &&
                       std::all_of(name.begin(), name.end(), is_name_letter);
    if (!valid) fail(ExitCode::configuration, "slurm.environment: '{}' is not NAME=value", pair);
    lines.raw(fmt::format("export {}={}", name, shell_quote(pair.substr(name.size() + 1))));
  }
  if (!job.container.empty())
    lines.raw(
        "# A container shows neither slurmd's spool folder, where PMIx's shared memory lies, nor other "
        "ranks' "
        "memory.\n"
        "export PMIX_MCA_gds=hash OMPI_MCA_btl_vader_single_copy_mechanism=none");
  if (job.scratch.empty()) return;
  lines.raw(fmt::format("export TRIREME_SCRATCH={}/$SLURM_JOB_ID", shell_quote(job.scratch)));
  lines.raw(R"(srun --ntasks-per-node=1 --ntasks="$SLURM_NNODES" mkdir -p -m 700 "$TRIREME_SCRATCH")");
}

/// What the container shows of the host beside what Apptainer shows anyway.
std::string binds_of(const BatchJob& job) {
  std::vector<std::string> shown{job.run_folder};
  if (!job.scratch.empty()) shown.push_back(job.scratch);
  shown.insert(shown.end(), job.shown_in_container.begin(), job.shown_in_container.end());
  std::string binds;
  for (const std::string& path : shown) {
    if (path.find_first_of(",:") != std::string::npos)
      fail(ExitCode::configuration,
           "slurm.container: '{}' has a comma or colon, which Apptainer's --bind cannot carry", path);
    binds += " --bind " + shell_quote(path);
  }
  return binds;
}

/// A command line that a shell reads back word for word, inside the container where there is one.
std::string line_of(const BatchJob& job, const std::vector<std::string>& words) {
  std::string command;
  if (!job.container.empty())
    command = fmt::format("apptainer exec{}{} {} ", job.gpus_per_node.value_or(0) > 0 ? " --nv" : "",
                          binds_of(job), shell_quote(job.container));
  for (const std::string& word : words) (command += shell_quote(word)) += ' ';
  command.pop_back();
  return command;
}

void add_settings(Lines& lines, const BatchJob& job) {
  if (job.settings_command.empty()) return;
  lines.raw("\n# Which interfaces of this node NCCL, UCX and Open MPI use, unless the environment says it.");
  lines.raw(
      fmt::format("network=$({} 2>/dev/null) && eval \"$network\"", line_of(job, job.settings_command)));
}

bool looks_at_nodes(const BatchJob& job) {
  return job.requeue && !job.health_command.empty();
}

/// A job's excluded nodes can be changed while it is pending alone, which it is from its requeue on; TERM
/// then comes to this script before anything worse does.
void add_health(Lines& lines, const BatchJob& job) {
  if (!looks_at_nodes(job)) return;
  lines.raw("\n# Each node is looked at before the ranks start; those that fail are left out from now on.");
  lines.raw(fmt::format(
      "sick=$(timeout -k 10 {} srun --mpi=pmix --ntasks-per-node=1 --ntasks=\"$SLURM_NNODES\" {})",
      job.health_seconds, line_of(job, job.health_command)));
  lines.raw(R"sh(healthy=$? sick=$(echo $sick)
if [ "$healthy" = 75 ] && [ -n "$sick" ] && [ "$(wc -w <<<"$sick")" -lt "$SLURM_NNODES" ]; then
  echo "$(date -Is) job $SLURM_JOB_ID leaves out $sick" | tee -a "$run/log/restarts.log" >&2
  before=$(scontrol --oneliner show job "$SLURM_JOB_ID" | sed -n 's/.* ExcNodeList=\([^ ]*\).*/\1/p')
  [ "$before" = "(null)" ] && before=
  trap '' TERM
  scontrol requeue "$SLURM_JOB_ID" && scontrol update JobId="$SLURM_JOB_ID" ExcNodeList="${before:+$before,}${sick// /,}" && sleep 60
  exit 75
fi)sh");
}

void add_ranks(Lines& lines, const BatchJob& job) {
  lines.raw("\n# Ranks end together. USR1 reaches them alone: they save, and end with 75.");
  lines.raw(fmt::format("start() {{ srun --mpi=pmix --kill-on-bad-exit=1{} {}; }}",
                        job.binding.empty() ? "" : " --cpu-bind=" + job.binding, line_of(job, job.command)));
  lines.raw("told() { wc -c 2>/dev/null <\"$run/events.jsonl\"; }\ntold_before=$(told)");
  if (looks_at_nodes(job)) {
    lines.raw("status=75\ncase $healthy in 75 | 124 | 137) ;; *)\n  start\n  status=$? ;;\nesac");
  } else {
    lines.raw("start\nstatus=$?");
  }
  lines.raw(R"sh(
# A socket that a lost node left behind keeps one step of this job from starting there; the next step has another name.
case $status in 0 | 64 | 70 | 75 | 76 | 78 | 124) ;; *)
  if [ "$(told)" = "$told_before" ]; then
    start
    status=$?
  fi ;;
esac

# status.json says more than srun: a killed rank's status hides what the others found out before they ended.
said=$(sed -n 's/.*"exit_code": *\([0-9][0-9]*\).*/\1/p' "$run/status.json" 2>/dev/null | tail -n 1)
case $status in 0 | 64 | 70 | 75 | 76 | 78 | 124) ;; *) status=${said:-75} ;; esac
echo "$(date -Is) job $SLURM_JOB_ID ended with $status" >>"$run/log/restarts.log")sh");
}

void add_requeue(Lines& lines, const BatchJob& job) {
  lines.raw(R"(
# 75: a requeue helps. 124: the ranks hung. Runs in a row that leave no newer checkpoint stop the job.
if [ "$status" = 75 ] || [ "$status" = 124 ]; then
  newest=$(readlink "$run/checkpoints/latest" || cat "$run/checkpoints/latest" 2>/dev/null)
  fruitless=0 before=
  [ -f "$run/log/progress" ] && read -r fruitless before <"$run/log/progress"
  if [ "$newest" = "$before" ]; then fruitless=$((fruitless + 1)); else fruitless=0; fi
  echo "$fruitless $newest" >"$run/log/progress")");
  lines.raw(fmt::format("  if [ \"$fruitless\" -ge {} ]; then", job.fruitless_runs));
  lines.raw(fmt::format(
      "    echo \"trireme: {} runs in a row ended without a newer checkpoint; the job stops here\" >&2",
      job.fruitless_runs));
  if (job.max_requeues > 0) {
    lines.raw(fmt::format("  elif [ \"${{SLURM_RESTART_COUNT:-0}}\" -ge {} ]; then", job.max_requeues));
    lines.raw(fmt::format("    echo \"trireme: the job was requeued {} times and stops here\" >&2",
                          job.max_requeues));
  }
  lines.raw(R"(  else
    scontrol requeue "$SLURM_JOB_ID" && sleep 60
  fi
fi)");
}

}  // namespace

std::string shell_quote(const std::string& word) {
  if (word.find('\0') != std::string::npos)
    fail(ExitCode::configuration, "a word of the command has a NUL byte, which no command line can carry");
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return is_name_letter(c) || std::string_view("-+=./:,@%").find(c) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string render(const BatchJob& job) {
  require(!job.command.empty(), "a batch file needs a command");
  require(job.run_folder.starts_with('/'), "the run folder '{}' must be an absolute path", job.run_folder);
  Lines lines;
  lines.raw("#!/bin/bash");
  add_resources(lines, job);
  lines.raw("");
  lines.raw("run=" + shell_quote(job.run_folder));
  add_limit(lines, job);
  add_environment(lines, job);
  add_settings(lines, job);
  add_health(lines, job);
  add_ranks(lines, job);
  if (job.requeue) add_requeue(lines, job);
  lines.raw("exit \"$status\"");
  return lines.text();
}

}  // namespace trireme::slurm
