#include "cli/evaluations.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.h"

namespace trireme::cli {
namespace {

double figure(const train::Evaluation& evaluation, const std::string& metric) {
  if (metric == "token_accuracy") return evaluation.token_accuracy;
  if (metric == "exact_match") return evaluation.exact_match.value_or(0);
  if (metric == "rouge_l") return evaluation.rouge_l.value_or(0);
  return evaluation.loss;
}

std::string metric_of(const std::string& measure) {
  return measure.substr(measure.rfind('/') + 1);
}

}  // namespace

Evaluations::Evaluations(const jobs::JobSpec& job, const OpenedData& data, LoadedModel& model,
                         train::Trainer& trainer)
    : job_(job), data_(data), model_(model), trainer_(trainer) {}

std::vector<train::Evaluation> Evaluations::run(std::int64_t most_batches) {
  std::vector<train::Evaluation> evaluations;
  for (const EvaluationSet& set : data_.evaluation) {
    const std::int64_t all = set.rows.steps_per_epoch(trainer_.shape());
    const train::EvaluationMeans means =
        trainer_.evaluate(set.rows, most_batches > 0 ? std::min(all, most_batches) : all);
    train::Evaluation evaluation{set.name, means.loss, means.token_accuracy};
    if (!set.questions.empty()) {
      const train::AnswerScores scores =
          train::score_answers(model_.engine(), *data_.tokenizer, set.questions,
                               {model_.spec().layers, job_.eval_max_new_tokens, data_.end_token});
      evaluation.exact_match = scores.exact_match, evaluation.rouge_l = scores.rouge_l;
    }
    evaluations.push_back(std::move(evaluation));
  }
  return evaluations;
}

std::string Evaluations::measure() const {
  if (!any()) return {};
  const std::string& wanted = job_.metric_for_best_model;
  if (wanted.find('/') != std::string::npos) return wanted;
  return data_.evaluation.front().name + "/" + (wanted.empty() ? "loss" : wanted);
}

double Evaluations::score(const std::vector<train::Evaluation>& evaluations) const {
  const std::string wanted = measure(), set = wanted.substr(0, wanted.rfind('/'));
  const auto found = std::find_if(evaluations.begin(), evaluations.end(),
                                  [&](const train::Evaluation& one) { return one.set == set; });
  require(found != evaluations.end(), "there is no evaluation set {}", set);
  const double value = figure(*found, metric_of(wanted));
  return higher_is_better(wanted) ? -value : value;
}

bool higher_is_better(const std::string& measure) {
  return metric_of(measure) != "loss";
}

std::string words_of(const train::Evaluation& evaluation) {
  std::string words =
      fmt::format("{}: loss {:.6f}, perplexity {:.4f}, {:.2f} % of tokens right", evaluation.set,
                  evaluation.loss, train::perplexity_of(evaluation), 100 * evaluation.token_accuracy);
  if (evaluation.exact_match)
    words += fmt::format(", {:.2f} % of answers exact, ROUGE-L {:.4f}", 100 * *evaluation.exact_match,
                         evaluation.rouge_l.value_or(0));
  return words;
}

}  // namespace trireme::cli
