#pragma once
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trireme::train {

/// What an evaluation found on one named set.
struct Evaluation {
  std::string set;
  double loss = 0;
  double token_accuracy = 0;
  /// Of generated answers, where they were asked for.
  std::optional<double> exact_match{}, rouge_l{};
};
double perplexity_of(const Evaluation& evaluation);

/// One step as metrics.jsonl tells it.
struct StepMetrics {
  std::int64_t step = 0;
  double loss = 0;
  /// Scored in this step, over all ranks.
  std::int64_t tokens = 0;
  double tokens_per_s = 0;
  double learning_rate = 0;
  double grad_norm = 0;
  bool skipped = false;
  double time = 0;              ///< seconds since 1970 at the step's end; 0: not told
  std::int64_t host_bytes = 0;  ///< resident in the first rank's process; 0: not told
  /// Of what is held back, where the step ended with an evaluation.
  std::optional<double> eval_loss{};
  std::vector<Evaluation> evaluations{};
  /// The share of the matrix products' rate that the model's own work had; 0: not told.
  double mfu = 0;
  double loss_scale = 1;
  /// Why nothing was updated, in words; for people, not in the file.
  std::string trouble{};
};

/// One JSON object without a line end; losses with 9 digits, what is not finite as null.
std::string json_of(const StepMetrics& metrics);

/// Appends to a run's metrics.jsonl, a whole line at a time. A run that goes on after step n first drops the
/// lines of later steps.
class MetricsFile {
 public:
  MetricsFile(const std::filesystem::path& path, std::int64_t after_step);
  void write(const StepMetrics& metrics);

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

/// Where a run is, for people and programs beside it; replaced as a whole.
struct RunStatus {
  std::string state = "running";
  std::int64_t step = 0, total_steps = 0;
  double loss = 0;
  std::string message;
  std::int64_t checkpoint_step = -1;  ///< of the newest one on disk
  std::int64_t checkpoint_failures = 0;
  std::string checkpoint_message;  ///< of the last failure
  std::string launch;              ///< the name that `trireme launch` gave these ranks
};
void write_status(const std::filesystem::path& path, const RunStatus& status);

}  // namespace trireme::train
