#include "jobs/starter_job.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <fmt/ranges.h>

#include "core/error.h"
#include "jobs/keys.h"

namespace trireme::jobs {
namespace {

/// A line of the file; a name that ends in ':' opens a section, "" is an empty line.
struct Line {
  std::string_view name, value;
};

constexpr std::array common_end{Line{"optimizer", "adamw_torch"},
                                Line{"learning_rate", "2e-4"},
                                Line{"lr_scheduler", "cosine"},
                                Line{"warmup_ratio", "0.03"},
                                Line{"device", "auto"},
                                Line{"bf16", "auto"},
                                Line{"gradient_checkpointing", "true"},
                                Line{"save_steps", "200"},
                                Line{"", ""},
                                Line{"slurm:", ""},
                                Line{"slurm.nodes", "1"},
                                Line{"slurm.ranks_per_node", "2"},
                                Line{"slurm.gpus_per_node", "0"},
                                Line{"slurm.time_limit", "\"12:00:00\""}};

struct Kind {
  std::string_view name, placement;
  std::vector<Line> adapter;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> table{
      {"lora",
       "zero1",
       {{"adapter", "lora"},
        {"lora_r", "16"},
        {"lora_alpha", "32"},
        {"lora_dropout", "0.05"},
        {"lora_target_linear", "true"}}},
      {"qlora",
       "qlora_fsdp",
       {{"adapter", "qlora"},
        {"load_in_4bit", "true"},
        {"lora_r", "16"},
        {"lora_alpha", "32"},
        {"lora_dropout", "0.05"},
        {"lora_target_linear", "true"}}},
      {"full", "zero3", {}},
  };
  return table;
}

std::string_view meaning_of(std::string_view name) {
  for (const Key& key : keys())
    if (key.name == name) return key.meaning;
  return "";
}

void write(std::string& out, const Line& line) {
  if (line.name.empty() || line.name.ends_with(':')) {
    (out += line.name) += '\n';
    return;
  }
  const std::size_t dot = line.name.find('.');
  const bool nested = dot != std::string_view::npos;
  const std::string setting =
      fmt::format("{}{}: {}", nested ? "  " : "", nested ? line.name.substr(dot + 1) : line.name, line.value);
  out += fmt::format("{:40} # {}\n", setting, meaning_of(line.name));
}

}  // namespace

std::string starter_job(const std::string& kind) {
  const auto chosen =
      std::find_if(kinds().begin(), kinds().end(), [&](const Kind& each) { return each.name == kind; });
  if (chosen == kinds().end()) {
    std::vector<std::string_view> names;
    for (const Kind& each : kinds()) names.push_back(each.name);
    fail(ExitCode::usage, "there is no kind of job '{}'; there are {}", kind, fmt::join(names, ", "));
  }
  std::string out =
      "# trireme job check THIS_FILE says what becomes of each key; trireme job schema is for editors.\n";
  write(out, {"base_model", "models/my-model"});
  out += "datasets:\n  - path: data/train.jsonl\n    type: alpaca\n";
  for (const Line& line :
       {Line{"output_dir", "./runs/first"}, Line{"sequence_len", "2048"}, Line{"sample_packing", "true"},
        Line{"micro_batch_size", "1"}, Line{"gradient_accumulation_steps", "4"}, Line{"num_epochs", "1"}})
    write(out, line);
  out += '\n';
  for (const Line& line : chosen->adapter) write(out, line);
  if (!chosen->adapter.empty()) out += '\n';
  out += fmt::format("{:40} # who holds what: docs/job.md; trireme plan foretells memory and time\n",
                     fmt::format("placement: {}", chosen->placement));
  for (const Line& line : common_end) write(out, line);
  return out;
}

}  // namespace trireme::jobs
