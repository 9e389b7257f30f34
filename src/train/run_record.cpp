#include "train/run_record.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <sstream>

#include <sys/stat.h>

#include "core/error.h"

namespace trireme::train {
namespace {

namespace json = boost::json;

json::object object_from(const std::string& text) {
  boost::system::error_code problem;
  json::value value = json::parse(text, problem);
  return problem || !value.is_object() ? json::object{} : std::move(value.as_object());
}

double number(const json::object& object, const char* key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_number() ? found->to_number<double>() : 0.0;
}

/// What no counter reaches counts as the largest that one does.
std::int64_t whole_number(const json::object& object, const char* key) {
  constexpr double most = 0x1p53;
  const double value = number(object, key);
  return std::isnan(value) ? 0 : static_cast<std::int64_t>(std::clamp(value, -most, most));
}

std::string text(const json::object& object, const char* key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_string() ? std::string(found->as_string()) : std::string();
}

Evaluation evaluation_from(std::string_view name, const json::object& object) {
  Evaluation evaluation;
  evaluation.set = name;
  evaluation.loss = number(object, "loss");
  evaluation.token_accuracy = number(object, "token_accuracy");
  if (object.contains("exact_match")) evaluation.exact_match = number(object, "exact_match");
  if (object.contains("rouge_l")) evaluation.rouge_l = number(object, "rouge_l");
  return evaluation;
}

std::string whole(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The newest line of each node, in the order in which nodes came up first.
std::vector<NodeRecord> nodes_of(const std::filesystem::path& health) {
  std::vector<NodeRecord> nodes;
  std::ifstream in(health);
  for (std::string line; std::getline(in, line);) {
    const json::object object = object_from(line);
    NodeRecord node{text(object, "node"), true, number(object, "link_gb_s")};
    if (const json::value* healthy = object.if_contains("healthy"); healthy && healthy->is_bool())
      node.healthy = healthy->as_bool();
    if (node.name.empty()) continue;
    const auto known = std::find_if(nodes.begin(), nodes.end(),
                                    [&](const NodeRecord& other) { return other.name == node.name; });
    if (known == nodes.end())
      nodes.push_back(std::move(node));
    else
      *known = std::move(node);
  }
  return nodes;
}

}  // namespace

StepMetrics metrics_from(const std::string& line) {
  const json::object object = object_from(line);
  StepMetrics metrics;
  metrics.step = whole_number(object, "step");
  metrics.loss = number(object, "loss");
  metrics.tokens = whole_number(object, "tokens");
  metrics.tokens_per_s = number(object, "tokens_per_s");
  metrics.learning_rate = number(object, "learning_rate");
  metrics.grad_norm = number(object, "grad_norm");
  constexpr double far_off = 1e11;
  metrics.time = number(object, "time");
  if (!(std::abs(metrics.time) < far_off)) metrics.time = 0;
  metrics.host_bytes = whole_number(object, "host_bytes");
  metrics.mfu = number(object, "mfu");
  if (const json::value* loss = object.if_contains("eval_loss"); loss && loss->is_number())
    metrics.eval_loss = loss->to_number<double>();
  if (const json::value* sets = object.if_contains("eval"); sets && sets->is_object())
    for (const auto& [name, value] : sets->as_object())
      if (value.is_object()) metrics.evaluations.push_back(evaluation_from(name, value.as_object()));
  const json::value* skipped = object.if_contains("skipped");
  metrics.skipped = skipped && skipped->is_bool() && skipped->as_bool();
  return metrics;
}

bool MetricsReader::poll() {
  struct stat now {};
  if (::stat(file_.c_str(), &now) != 0) return false;
  const auto size = static_cast<std::uint64_t>(now.st_size);
  if (now.st_ino != inode_ || size < read_) inode_ = now.st_ino, read_ = 0, rest_.clear(), steps_.clear();
  if (size == read_) return false;
  std::ifstream in(file_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(read_));
  std::string fresh(size - read_, '\0');
  in.read(fresh.data(), static_cast<std::streamsize>(fresh.size()));
  fresh.resize(static_cast<std::size_t>(in.gcount()));
  read_ += fresh.size();
  rest_ += fresh;
  std::size_t begin = 0;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
    StepMetrics metrics = metrics_from(rest_.substr(begin, end - begin));
    if (metrics.step > 0) steps_.push_back(metrics);
    begin = end + 1;
  }
  rest_.erase(0, begin);
  return true;
}

RunStatus read_status(const std::filesystem::path& run_folder) {
  const json::object object = object_from(whole(run_folder / "status.json"));
  RunStatus status;
  status.state = text(object, "state");
  if (status.state.empty()) status.state = "unknown";
  status.step = whole_number(object, "step");
  status.total_steps = whole_number(object, "total_steps");
  status.loss = number(object, "loss");
  status.message = text(object, "message");
  return status;
}

RunRecord read_run(const std::filesystem::path& folder) {
  RunRecord run;
  run.folder = folder;
  run.status = read_status(folder);
  MetricsReader metrics(folder / "metrics.jsonl");
  metrics.poll();
  run.steps = metrics.steps();
  if (run.status.state == "unknown" && run.steps.empty())
    fail(ExitCode::configuration, "{} is not a run folder: it has neither status.json nor metrics.jsonl",
         folder.string());
  run.events = read_events(folder);
  run.job = whole(folder / "job.yaml");
  run.gantt = whole(folder / "trace.svg");
  read_surroundings(run);
  return run;
}

void read_surroundings(RunRecord& run) {
  run.memory = whole(run.folder / "memory.json");
  run.lanes = whole(run.folder / "lanes.json");
  run.nodes = nodes_of(run.folder / "log" / "health.jsonl");
  run.environment.clear();
  for (const auto& [key, value] : object_from(whole(run.folder / "environment.json")))
    run.environment.emplace_back(key,
                                 value.is_string() ? std::string(value.as_string()) : json::serialize(value));
}

}  // namespace trireme::train
