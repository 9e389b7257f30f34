#include "train/metrics.h"

#include <charconv>
#include <cmath>
#include <fstream>

#include <fmt/format.h>

#include "core/error.h"

namespace trireme::train {
namespace {

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{:.9g}", value) : "null";
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    if (static_cast<unsigned char>(letter) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(letter));
    } else {
      out += letter;
    }
  }
  return out + '"';
}

/// The step that a line tells of; -1 where it is no whole line of ours.
std::int64_t step_of(const std::string& line) {
  constexpr std::string_view before = "{\"step\": ";
  if (!line.starts_with(before) || line.back() != '}') return -1;
  std::int64_t step = -1;
  const auto [end, error] = std::from_chars(line.data() + before.size(), line.data() + line.size(), step);
  return error == std::errc() && *end == ',' ? step : -1;
}

void replace(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path fresh = path.string() + ".new";
  {
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    out << text;
    if (!out.flush()) fail(ExitCode::requeue, "cannot write {}", fresh.string());
  }
  std::filesystem::rename(fresh, path);
}

void keep_until(const std::filesystem::path& path, std::int64_t last_step) {
  std::ifstream in(path);
  std::string kept, line;
  while (std::getline(in, line)) {
    const std::int64_t step = step_of(line);
    if (step >= 0 && step <= last_step) kept += line + '\n';
  }
  replace(path, kept);
}

std::string json_of(const Evaluation& evaluation) {
  std::string line = fmt::format(R"({}: {{"loss": {}, "perplexity": {}, "token_accuracy": {})",
                                 quoted(evaluation.set), number(evaluation.loss),
                                 number(perplexity_of(evaluation)), number(evaluation.token_accuracy));
  if (evaluation.exact_match) line += R"(, "exact_match": )" + number(*evaluation.exact_match);
  if (evaluation.rouge_l) line += R"(, "rouge_l": )" + number(*evaluation.rouge_l);
  return line + '}';
}

}  // namespace

double perplexity_of(const Evaluation& evaluation) {
  return std::exp(evaluation.loss);
}

std::string json_of(const StepMetrics& metrics) {
  std::string more;
  if (metrics.time > 0) more += fmt::format(R"(, "time": {:.3f})", metrics.time);
  if (metrics.host_bytes > 0) more += fmt::format(R"(, "host_bytes": {})", metrics.host_bytes);
  if (metrics.skipped) more += R"(, "skipped": true)";
  if (metrics.mfu > 0) more += R"(, "mfu": )" + number(metrics.mfu);
  if (metrics.loss_scale != 1) more += fmt::format(R"(, "loss_scale": {})", metrics.loss_scale);
  if (metrics.eval_loss) more += R"(, "eval_loss": )" + number(*metrics.eval_loss);
  std::string sets;
  for (const Evaluation& evaluation : metrics.evaluations)
    sets += (sets.empty() ? "" : ", ") + json_of(evaluation);
  if (!sets.empty()) more += R"(, "eval": {)" + sets + '}';
  return fmt::format(
      R"({{"step": {}, "loss": {}, "tokens": {}, "tokens_per_s": {}, "learning_rate": {}, "grad_norm": {}{}}})",
      metrics.step, number(metrics.loss), metrics.tokens, number(metrics.tokens_per_s),
      number(metrics.learning_rate), number(metrics.grad_norm), more);
}

MetricsFile::MetricsFile(const std::filesystem::path& path, std::int64_t after_step)
    : file_(nullptr, std::fclose) {
  keep_until(path, after_step);
  file_.reset(std::fopen(path.c_str(), "a"));
  if (!file_) fail(ExitCode::requeue, "cannot append to {}", path.string());
}

void MetricsFile::write(const StepMetrics& metrics) {
  const std::string line = json_of(metrics) + '\n';
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0)
    fail(ExitCode::requeue, "cannot append to metrics.jsonl: is the disk full?");
}

void write_status(const std::filesystem::path& path, const RunStatus& status) {
  replace(path,
          fmt::format(R"({{"state": {}, "step": {}, "total_steps": {}, "loss": {}, "checkpoint_step": {}, )"
                      R"("checkpoint_failures": {}, "checkpoint_message": {}, "message": {}, "launch": {}}})"
                      "\n",
                      quoted(status.state), status.step, status.total_steps, number(status.loss),
                      status.checkpoint_step, status.checkpoint_failures, quoted(status.checkpoint_message),
                      quoted(status.message), quoted(status.launch)));
}

}  // namespace trireme::train
