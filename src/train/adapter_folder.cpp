#include "train/adapter_folder.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <set>
#include <vector>

#include "core/error.h"
#include "io/file.h"
#include "io/safetensors_writer.h"
#include "io/strict_json.h"

namespace trireme::train {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* weights_name = "adapter_model.safetensors";
constexpr const char* config_name = "adapter_config.json";

std::string name_in_peft(const std::string& parameter) {
  return "base_model.model." + parameter;
}

std::vector<sharding::Parameter> adapters_of(const model::ModelSpec& spec, const model::LoraSettings& lora) {
  std::vector<sharding::Parameter> all;
  for (std::int64_t layer = 0; layer < spec.layers; ++layer)
    for (const sharding::Parameter& parameter : model::lora_layout(spec, lora, layer).parameters)
      all.push_back(parameter);
  return all;
}

double number(const json::object& config, const char* key, double otherwise) {
  const json::value* value = config.if_contains(key);
  return value && value->is_number() ? value->to_number<double>() : otherwise;
}

void check_config(const fs::path& path, const model::LoraSettings& lora) {
  const json::value parsed = io::parse_strict_json(io::read_text(path), path.string());
  if (!parsed.is_object()) fail(ExitCode::damaged, "{}: is not a JSON object", path.string());
  const json::object& config = parsed.as_object();
  const double rank = number(config, "r", 8), alpha = number(config, "lora_alpha", 8);
  const json::value* stabilized = config.if_contains("use_rslora");
  const bool is_stabilized = stabilized && stabilized->is_bool() && stabilized->as_bool();
  if (rank != static_cast<double>(lora.rank) || alpha != lora.alpha || is_stabilized != lora.rank_stabilized)
    fail(ExitCode::configuration,
         "{}: has r = {}, lora_alpha = {}, use_rslora = {}; the job's lora_r, lora_alpha and peft_use_rslora "
         "must be the same",
         path.string(), rank, alpha, is_stabilized);
  for (const char* unknown : {"use_dora", "lora_bias"})
    if (const json::value* value = config.if_contains(unknown); value && value->is_bool() && value->as_bool())
      fail(ExitCode::configuration, "{}: {} is not supported", path.string(), unknown);
}

}  // namespace

AdapterFolder::AdapterFolder(const fs::path& folder, const model::ModelSpec& spec,
                             const model::LoraSettings& lora)
    : file_((check_config(folder / config_name, lora), folder / weights_name)) {
  std::size_t expected = 0;
  for (const sharding::Parameter& parameter : adapters_of(spec, lora)) {
    const io::StoredTensor* stored = file_.find(name_in_peft(parameter.name));
    if (!stored)
      fail(ExitCode::configuration, "{}: the tensor {} is missing; are the target modules the same?",
           file_.path().string(), name_in_peft(parameter.name));
    if (stored->shape != parameter.shape)
      fail(ExitCode::configuration, "{}: the tensor {} has another shape than this model's adapter",
           file_.path().string(), stored->name);
    ++expected;
  }
  if (file_.tensors().size() != expected)
    fail(ExitCode::configuration,
         "{}: holds {} tensors, the job's adapters are {}; are the target modules the "
         "same?",
         file_.path().string(), file_.tensors().size(), expected);
}

void AdapterFolder::read(const sharding::Parameter& parameter, std::int64_t first,
                         std::span<float> into) const {
  file_.read_as(file_.at(name_in_peft(parameter.name)), static_cast<std::uint64_t>(first), DType::f32,
                std::as_writable_bytes(into));
}

void write_adapter_folder(const fs::path& folder, const std::string& base_model, const model::ModelSpec& spec,
                          const model::LoraSettings& lora, const ReadParameter& read) {
  fs::create_directories(folder);
  const std::vector<sharding::Parameter> adapters = adapters_of(spec, lora);
  std::vector<io::TensorShape> shapes;
  std::set<std::string> modules;
  for (const sharding::Parameter& parameter : adapters) {
    shapes.push_back({name_in_peft(parameter.name), DType::f32, parameter.shape});
    const std::string module = parameter.name.substr(0, parameter.name.find(".lora_"));
    modules.insert(module.substr(module.rfind('.') + 1));
  }
  io::SafetensorsWriter writer(folder / weights_name, shapes);
  std::vector<float> values;
  for (const sharding::Parameter& parameter : adapters) {
    values.resize(static_cast<std::size_t>(parameter.shape[0] * parameter.shape[1]));
    read(parameter, values);
    writer.write(name_in_peft(parameter.name), 0, std::as_bytes(std::span(values)));
  }
  const json::object config{{"peft_type", "LORA"},
                            {"task_type", "CAUSAL_LM"},
                            {"base_model_name_or_path", base_model},
                            {"r", lora.rank},
                            {"lora_alpha", lora.alpha},
                            {"lora_dropout", lora.dropout},
                            {"use_rslora", lora.rank_stabilized},
                            {"target_modules", json::value_from(modules)},
                            {"fan_in_fan_out", spec.transposed},
                            {"bias", "none"},
                            {"inference_mode", true}};
  writer.commit();
  io::write_text_atomically(folder / config_name, json::serialize(config) + "\n");
}

}  // namespace trireme::train
