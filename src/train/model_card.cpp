#include "train/model_card.h"

#include <boost/json.hpp>
#include <fstream>

#include <fmt/format.h>

#include "train/run_record.h"

namespace trireme::train {
namespace {

namespace json = boost::json;

/// Up to a step; its step is 0 where there was none.
StepMetrics last_evaluation(const std::filesystem::path& metrics, std::int64_t until) {
  StepMetrics last;
  std::ifstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    StepMetrics step = metrics_from(line);
    if (step.step <= until && !step.evaluations.empty()) last = std::move(step);
  }
  return last;
}

void add_row(std::string& text, const std::string& what, const std::string& value) {
  text += fmt::format("| {} | {} |\n", what, value);
}

}  // namespace

std::string model_card(const CardFacts& facts) {
  std::string text =
      fmt::format("---\nbase_model: {}\nlibrary_name: {}\ntags:\n- trireme\n---\n\n",
                  json::serialize(json::value(facts.base_model)), facts.adapter ? "peft" : "transformers");
  text += fmt::format("{} of `{}`, trained with trireme.\n\n## Measured\n\n| | |\n|---|---|\n",
                      facts.adapter ? "An adapter" : "A fine-tuned copy", facts.base_model);
  const auto number = [&](const char* key) -> const json::value* {
    const json::value* value = facts.state.if_contains(key);
    return value && value->is_number() ? value : nullptr;
  };
  std::int64_t steps = 0;
  if (const json::value* step = number("step")) {
    steps = step->to_number<std::int64_t>();
    add_row(text, "steps", fmt::format("{}", steps));
  }
  if (const json::value* samples = number("samples"))
    add_row(text, "samples seen", json::serialize(*samples));
  if (const json::value* epoch = number("epoch"))
    add_row(text, "epochs", fmt::format("{:.4g}", epoch->to_number<double>()));
  if (const json::value* loss = number("loss"))
    add_row(text, "training loss, mean since the checkpoint before",
            fmt::format("{:.6f}", loss->to_number<double>()));
  const StepMetrics evaluated = last_evaluation(facts.metrics, steps);
  for (const Evaluation& set : evaluated.evaluations) {
    const std::string of = fmt::format("of {} after step {}", set.set, evaluated.step);
    add_row(text, "loss " + of, fmt::format("{:.6f}", set.loss));
    add_row(text, "token accuracy " + of, fmt::format("{:.4f}", set.token_accuracy));
    if (set.exact_match) add_row(text, "exact match " + of, fmt::format("{:.4f}", *set.exact_match));
    if (set.rouge_l) add_row(text, "ROUGE-L " + of, fmt::format("{:.4f}", *set.rouge_l));
  }
  text += "\nNothing else was evaluated.\n\n## Settings\n\n| | |\n|---|---|\n";
  for (const auto& [name, value] : facts.settings) add_row(text, name, value);
  return text;
}

}  // namespace trireme::train
