#include "cli/published_runs.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <regex>

#include <fmt/format.h>

#include "core/error.h"
#include "model/known_models.h"
#include "sharding/presets.h"

namespace trireme::cli {
namespace {

using Row = std::map<std::string, std::string>;

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else if (c != '\r') {
      cells.back() += c;
    }
  }
  return cells;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}
bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Why a row is not one that a plan describes; empty: it is one.
std::string objection(const Row& row) {
  const std::string sharding = row.at("sharding"), precision = row.at("precision");
  if (has(precision, "fp8") || has(precision, "float8") || has(precision, "FP8") || has(precision, "FP4"))
    return "products in 8 or 4 bits";
  if (std::regex_search(sharding, std::regex("(TP|CP|PP|tp)[ =]?([2-9]|[1-9][0-9])")))
    return "tensor, context or pipeline parallel";
  if (has(precision, "nf4") || has(precision, "NF4")) return "a 4-bit base whose kernels are not described";
  if (has(sharding, "LoRA")) return "adapters: what is recomputed or how devices are joined is not stated";
  if (has(row.at("activation_checkpointing"), "see ") ||
      has(row.at("activation_checkpointing"), "recompute") ||
      has(row.at("activation_checkpointing"), "not stated") || has(sharding, "offload"))
    return "what is recomputed or offloaded is not stated";
  if (precision != "bf16" && precision != "amp_bf16" && precision != "bf16/PURE")
    return "precision not stated";
  return {};
}

std::optional<std::string> device_of(const std::string& gpu) {
  static const std::vector<std::pair<std::string, std::string>> names{{"a100_40gb", "a100-40g"},
                                                                      {"a100_80gb", "a100-80g"},
                                                                      {"h100_80gb", "h100-80g"},
                                                                      {"h100_96gb_hbm2e", "h100-96g-hbm2e"},
                                                                      {"h200", "h200"}};
  for (const auto& [published, ours] : names)
    if (gpu.starts_with(published)) return ours;
  return std::nullopt;
}

std::string model_name_of(const std::string& published) {
  std::string name = lower(published);
  if (has(name, "llama-3-arch 7b") || name == "llama-3.1-8b") return "llama-3-8b";
  if (has(name, "llama-3-arch 13b")) return "llama-3-13b";
  if (name == "llama-3.1-70b" || has(name, "llama-3-arch 70b")) return "llama-3-70b";
  return name;
}

std::string software_of(const Row& row) {
  if (has(row.at("sharding"), "no-compile")) return "eager";
  return has(row.at("sharding"), "compile") || has(row.at("source"), "llmq") ? "compiled" : "eager";
}

std::string preset_of(const std::string& sharding) {
  if (has(sharding, "SHARD_GRAD_OP")) return "fsdp_grad_op";
  return has(sharding, "ZeRO-1") ? "zero1" : "fsdp_full";
}

int number_after(const std::string& text, const char* pattern, int otherwise) {
  std::smatch match;
  return std::regex_search(text, match, std::regex(pattern)) ? std::stoi(match[1]) : otherwise;
}

/// "1600 Gb/s per node RoCE", "4x100 Gb/s RoCE per node", "… 400 Gb/s RDMA per GPU".
double node_link_of(const std::string& text, int gpus_per_node) {
  std::smatch match;
  if (!std::regex_search(text, match, std::regex("(?:([0-9]+)x)?([0-9]+) Gb/s"))) return 0;
  constexpr double bytes_per_gigabit = 1e9 / 8;
  const double links = match[1].matched ? std::stod(match[1]) : 1;
  return links * std::stod(match[2]) * bytes_per_gigabit * (has(text, "per GPU") ? gpus_per_node : 1);
}

PublishedRun run_of(const Row& row, int line, const model::ModelSpec& spec, const std::string& device) {
  PublishedRun run;
  run.line = line, run.model = spec, run.device = device;
  run.name = row.at("model"), run.source = row.at("source"), run.software = software_of(row);
  run.sequence = std::stoll(row.at("seq_len"));
  run.tokens_per_s_per_gpu = std::stod(row.at("tokens_per_s_per_gpu"));
  const std::string sharding = row.at("sharding"), activations = row.at("activation_checkpointing");
  const int ranks = std::stoi(row.at("num_gpus")), per_node = std::stoi(row.at("gpus_per_node"));
  run.node_link_bytes_per_s = node_link_of(row.at("interconnect"), per_node);

  sharding::Placement placement = sharding::preset(preset_of(sharding));
  if (has(sharding, "inside node only")) placement.optimizer.span = sharding::Span::node();
  if (row.at("precision") == "bf16/PURE" || placement.name == "zero1")
    placement.gradients.wire = sharding::Wire::bf16;
  const bool recomputed = activations != "none";
  placement.activations = recomputed ? sharding::Activations::recomputed : sharding::Activations::kept;
  if (has(activations, "selective")) run.recomputed_share = 0.5;
  run.setting = {placement, {ranks, std::min(per_node, ranks)}, {}, std::stoll(row.at("micro_batch"))};
  run.setting.options.micro_batches = number_after(sharding, "ga=([0-9]+)", 1);
  run.setting.options.activations = placement.activations;
  return run;
}

}  // namespace

PublishedRuns read_published_runs(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail(ExitCode::configuration, "{}: cannot be opened", path);
  std::string text;
  std::getline(file, text);
  const std::vector<std::string> head = cells_of(text);
  for (const char* wanted :
       {"source", "model", "gpu", "num_gpus", "gpus_per_node", "interconnect", "seq_len", "micro_batch",
        "precision", "sharding", "activation_checkpointing", "tokens_per_s_per_gpu"})
    if (std::find(head.begin(), head.end(), wanted) == head.end())
      fail(ExitCode::configuration, "{}: has no column {}", path, wanted);
  PublishedRuns published;
  for (int line = 2; std::getline(file, text); ++line) {
    if (text.empty()) continue;
    const auto cells = cells_of(text);
    if (cells.size() != head.size())
      fail(ExitCode::damaged, "{}:{}: has {} cells where the head has {}", path, line, cells.size(),
           head.size());
    Row row;
    for (std::size_t i = 0; i < head.size(); ++i) row[head[i]] = cells[i];
    std::string reason = objection(row);
    const auto device = device_of(row["gpu"]);
    if (reason.empty() && !device) reason = "a device that the table of constants does not have";
    try {
      const std::int64_t positions = reason.empty() ? std::stoll(row["seq_len"]) : 2048;
      const auto spec = model::known_model(model_name_of(row["model"]), positions);
      if (reason.empty() && !spec) reason = "a model that the table does not have";
      if (reason.empty()) {
        published.runs.push_back(run_of(row, line, *spec, *device));
      } else {
        ++published.left_out[reason];
      }
    } catch (const std::logic_error&) {
      fail(ExitCode::damaged, "{}:{}: a number is missing or not one", path, line);
    }
  }
  return published;
}

}  // namespace trireme::cli
