#include "train/model_card.h"

#include <boost/json.hpp>
#include <fstream>
#include <optional>

#include <fmt/format.h>

namespace trireme::train {
namespace {

namespace json = boost::json;

std::optional<std::pair<std::int64_t, double>> last_held_out_loss(const std::filesystem::path& metrics,
                                                                  std::int64_t until) {
  std::optional<std::pair<std::int64_t, double>> last;
  std::ifstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    boost::system::error_code damaged;
    const json::value value = json::parse(line, damaged);
    if (damaged || !value.is_object()) continue;
    const json::value* step = value.get_object().if_contains("step");
    const json::value* loss = value.get_object().if_contains("eval_loss");
    if (!step || !loss || !step->is_number() || !loss->is_number()) continue;
    const auto at = step->to_number<std::int64_t>();
    if (at <= until) last = {at, loss->to_number<double>()};
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
  if (const auto held_out = last_held_out_loss(facts.metrics, steps))
    add_row(text, fmt::format("held-out loss after step {}", held_out->first),
            fmt::format("{:.6f}", held_out->second));
  text += "\nNothing else was evaluated.\n\n## Settings\n\n| | |\n|---|---|\n";
  for (const auto& [name, value] : facts.settings) add_row(text, name, value);
  return text;
}

}  // namespace trireme::train
