#include "cli/run_folder.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include "comm/watchdog/environment.h"
#include "core/error.h"
#include "core/log.h"
#include "jobs/write_job.h"
#include "train/run_events.h"
#include "train/run_record.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

int nodes_of(const comm::World& world) {
  const auto& nodes = world.node_of_rank();
  return nodes.empty() ? 1 : *std::max_element(nodes.begin(), nodes.end()) + 1;
}

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string environment_of(const comm::World& world) {
  std::string host(256, '\0');
  if (gethostname(host.data(), host.size() - 1) != 0) host = "unknown";
  boost::json::object object{{"trireme", TRIREME_VERSION}, {"LibTorch", TORCH_VERSION},
                             {"ranks", world.size()},      {"nodes", nodes_of(world)},
                             {"first host", host.c_str()}, {"processor", processor()}};
  if (const char* id = std::getenv("SLURM_JOB_ID")) object["Slurm job"] = id;
  if (const char* count = std::getenv("SLURM_RESTART_COUNT")) object["Slurm restarts"] = count;
  if (const char* nodes = std::getenv("SLURM_JOB_NODELIST")) object["Slurm nodes"] = nodes;
  return boost::json::serialize(object) + "\n";
}

/// What TensorBoard draws of a step.
train::Scalars scalars_of(const train::StepMetrics& metrics) {
  train::Scalars scalars{{"train/loss", metrics.loss},
                         {"train/grad_norm", metrics.grad_norm},
                         {"train/learning_rate", metrics.learning_rate},
                         {"train/tokens_per_s", metrics.tokens_per_s},
                         {"train/host_bytes", static_cast<double>(metrics.host_bytes)}};
  if (metrics.mfu > 0) scalars.emplace_back("train/mfu", metrics.mfu);
  if (metrics.loss_scale != 1) scalars.emplace_back("train/loss_scale", metrics.loss_scale);
  for (const train::Evaluation& evaluation : metrics.evaluations) {
    const std::string set = "eval/" + evaluation.set + "/";
    scalars.emplace_back(set + "loss", evaluation.loss);
    scalars.emplace_back(set + "perplexity", train::perplexity_of(evaluation));
    scalars.emplace_back(set + "token_accuracy", evaluation.token_accuracy);
    if (evaluation.exact_match) scalars.emplace_back(set + "exact_match", *evaluation.exact_match);
    if (evaluation.rouge_l) scalars.emplace_back(set + "rouge_l", *evaluation.rouge_l);
  }
  return scalars;
}

std::int64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  in >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

void make_run_folder(const fs::path& folder) {
  std::error_code problem;
  const bool fresh = fs::create_directories(folder, problem);
  if (fresh) fs::permissions(folder, fs::perms::owner_all, problem);
  if (!problem) fs::create_directories(folder / "log", problem);
  if (problem)
    fail(ExitCode::configuration, "output_dir: {} cannot be made: {}", folder.string(), problem.message());
}

void keep_log(const fs::path& run_folder, int rank) {
  make_run_folder(run_folder);
  log::to_file((run_folder / "log" / fmt::format("rank-{}.log", rank)).string(), rank == 0);
}

RunFolder::RunFolder(const jobs::JobSpec& job, const comm::World& world, std::int64_t steps_done,
                     std::int64_t total_steps)
    : folder_(job.output_dir), first_step_(steps_done) {
  tell_of_the_run_before();
  std::ofstream(folder_ / "job.yaml") << jobs::to_yaml_with_origins(job);
  std::ofstream(folder_ / "environment.json") << environment_of(world);
  metrics_.emplace(folder_ / "metrics.jsonl", steps_done);
  if (job.use_tensorboard) events_.emplace(folder_ / "tensorboard", train::seconds_since_1970());
  status_.step = steps_done, status_.total_steps = total_steps;
  if (const char* launch = std::getenv(comm::launch_variable)) status_.launch = launch;
  tell_status();
  train::append_event(folder_, {0, steps_done > 0 ? "resume" : "start", steps_done,
                                fmt::format("{} ranks on {} nodes, placement {}", world.size(),
                                            nodes_of(world), job.placement.preset)});
}

/// A run that was ended from outside could not speak for itself.
void RunFolder::tell_of_the_run_before() const {
  const train::RunStatus before = train::read_status(folder_);
  if (before.state == "failed") train::append_event(folder_, {0, "failed", before.step, before.message});
  if (before.state == "running")
    train::append_event(folder_, {0, "lost", before.step, "the run before ended without a word"});
}

void RunFolder::after(train::StepMetrics& metrics) {
  metrics.time = train::seconds_since_1970();
  const bool tell = tell_at_once_ || !metrics.trouble.empty() || metrics.step == status_.total_steps ||
                    std::chrono::steady_clock::now() - told_at_ >= tell_status_every;
  // Opening a file costs more than all else that a step tells.
  if (tell || host_bytes_ == 0) host_bytes_ = resident_bytes();
  metrics.host_bytes = host_bytes_;
  metrics_->write(metrics);
  if (events_) events_->write(metrics.time, metrics.step, scalars_of(metrics));
  if (!metrics.trouble.empty())
    train::append_event(folder_, {metrics.time, "not finite", metrics.step, metrics.trouble});
  status_.step = metrics.step, status_.loss = metrics.loss;
  if (tell) tell_status();
}

void RunFolder::tell_status() {
  train::write_status(folder_ / "status.json", status_);
  told_at_ = std::chrono::steady_clock::now(), tell_at_once_ = false;
}

void RunFolder::saved(const train::Checkpoints& checkpoints) {
  if (checkpoints.failures() > status_.checkpoint_failures && checkpoints.last_failure())
    train::append_event(folder_, {0, "save failed", status_.step, checkpoints.last_failure()->what()});
  if (checkpoints.saved_step() > status_.checkpoint_step && checkpoints.saved_step() > first_step_)
    train::append_event(folder_, {0, "save", checkpoints.saved_step(), "a checkpoint"});
  tell_at_once_ = checkpoints.saved_step() != status_.checkpoint_step ||
                  checkpoints.failures() != status_.checkpoint_failures;
  status_.checkpoint_step = checkpoints.saved_step();
  status_.checkpoint_failures = checkpoints.failures();
  if (checkpoints.last_failure()) status_.checkpoint_message = checkpoints.last_failure()->what();
}

void RunFolder::end(const std::string& state, const std::string& message) {
  status_.state = state, status_.message = message;
  tell_status();
  train::append_event(folder_, {0, state, status_.step, message});
}

}  // namespace trireme::cli
