#include "jobs/write_job.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "jobs/data_sets.h"
#include "jobs/decay_groups.h"
#include "jobs/imports/axolotl_keys.h"
#include "jobs/keys.h"
#include "jobs/own_words.h"
#include "jobs/placement_keys.h"
#include "sharding/presets.h"

namespace trireme::jobs {
namespace {

namespace json = boost::json;

std::string_view section_of(std::string_view name) {
  const std::size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

/// A comment must not end its line, whatever a file is called.
void write_origin(YAML::Emitter& out, const JobSpec& job, const std::string& name) {
  const auto found = job.said.find(name);
  if (found == job.said.end()) return;
  std::string where = found->second;
  for (char& letter : where)
    if (static_cast<unsigned char>(letter) < ' ' || letter == 0x7f) letter = ' ';
  out << YAML::Comment(where);
}

/// "1e-08" is a word to readers of YAML 1.1, "1.0e-08" a number to all.
std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  const std::size_t power = text.find('e');
  if (power == std::string::npos || text.find('.') != std::string::npos) return text;
  return fmt::format("{}.0{}", text.substr(0, power), text.substr(power));
}

bool reads_as_a_date_or_number(const std::string& text) {
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

void write_value(YAML::Emitter& out, JobSpec& job, const Key& key) {
  const std::string_view section = section_of(key.name);
  out << YAML::Key << std::string(section.empty() ? key.name : key.name.substr(section.size() + 1))
      << YAML::Value;
  std::visit(
      [&](auto place) {
        const auto& value = place(job);
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>) {
          out << number_text(value);
        } else if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
          if (reads_as_a_date_or_number(value)) out << YAML::DoubleQuoted;
          out << value;
        } else {
          out << value;
        }
      },
      key.place);
  write_origin(out, job, std::string(key.name));
}

void write_section(YAML::Emitter& out, JobSpec& job, const char* name) {
  out << YAML::Key << name << YAML::Value << YAML::BeginMap;
  for (const Key& key : keys())
    if (section_of(key.name) == name) write_value(out, job, key);
  out << YAML::EndMap;
}

void write_placement(YAML::Emitter& out, const JobSpec& job) {
  const PlacementChoice& choice = job.placement;
  out << YAML::Key << "placement" << YAML::Value << YAML::BeginMap << YAML::Key << "preset" << YAML::Value
      << choice.preset;
  write_origin(out, job, "placement.preset");
  std::map<std::string, std::map<std::string, std::string>> nested;
  for (const auto& [name, value] : choice.said) {
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos) {
      out << YAML::Key << name << YAML::Value << value;
      write_origin(out, job, "placement." + name);
    } else {
      nested[name.substr(0, dot)][name.substr(dot + 1)] = value;
    }
  }
  for (const auto& [state, aspects] : nested) {
    out << YAML::Key << state << YAML::Value << YAML::BeginMap;
    for (const auto& [aspect, value] : aspects) {
      out << YAML::Key << aspect << YAML::Value << value;
      write_origin(out, job, fmt::format("placement.{}.{}", state, aspect));
    }
    out << YAML::EndMap;
  }
  out << YAML::EndMap;
}

json::object schema_of(const Key& key, JobSpec& defaults) {
  json::object entry;
  const auto describe = [&](auto place) {
    const auto& value = place(defaults);
    using Value = std::decay_t<decltype(value)>;
    entry["type"] = std::is_same_v<Value, std::string> ? "string"
                    : std::is_same_v<Value, bool>      ? "boolean"
                    : std::is_same_v<Value, double>    ? "number"
                                                       : "integer";
    entry["default"] = json::value(value);
  };
  std::visit(describe, key.place);
  entry["description"] = std::string(key.meaning);
  if (key.least < key.most) entry["minimum"] = key.least, entry["maximum"] = key.most;
  if (!key.choices.empty()) {
    json::array choices;
    for (const std::string_view choice : key.choices) choices.emplace_back(std::string(choice));
    // YAML reads these two as booleans.
    for (const bool word : {true, false})
      if (std::find(key.choices.begin(), key.choices.end(), word ? "true" : "false") != key.choices.end())
        choices.emplace_back(word), entry.erase("type");
    entry["enum"] = std::move(choices);
  }
  return entry;
}

json::object closed_object(json::object properties) {
  return {{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
}

json::value placement_schema() {
  json::array presets;
  for (const std::string_view name : sharding::preset_names()) presets.emplace_back(std::string(name));
  const json::object preset{{"enum", presets}, {"description", "A named row of the placement table"}};
  json::object properties{{"preset", preset}};
  const json::object word{{"type", {"string", "integer"}}};
  for (const std::string& name : placement_key_names()) {
    const std::string rest = name.substr(name.find('.') + 1);
    const std::size_t dot = rest.find('.');
    if (rest == "preset") continue;
    if (dot == std::string::npos) {
      properties[rest] = word;
      continue;
    }
    auto& state = properties[rest.substr(0, dot)];
    if (state.is_null()) state = closed_object({});
    state.as_object()["properties"].as_object()[rest.substr(dot + 1)] = word;
  }
  return {{"oneOf", {preset, closed_object(std::move(properties))}}};
}

}  // namespace

std::string to_yaml_with_origins(JobSpec job) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const Key& key : keys())
    if (section_of(key.name).empty()) write_value(out, job, key);
  out << YAML::Key << "datasets";
  write_origin(out, job, "datasets");
  out << YAML::Value << YAML::BeginSeq;
  for (const DataSet& set : job.datasets) write_data_set(out, set);
  out << YAML::EndSeq;
  if (!job.test_datasets.empty()) {
    out << YAML::Key << "test_datasets" << YAML::Value << YAML::BeginSeq;
    for (const DataSet& set : job.test_datasets) write_data_set(out, set);
    out << YAML::EndSeq;
  }
  if (!job.weight_decay_groups.empty()) write_decay_groups(out, job.weight_decay_groups);
  if (!job.eot_tokens.empty()) {
    out << YAML::Key << "eot_tokens" << YAML::Value << YAML::Flow << YAML::BeginSeq;
    for (const std::string& token : job.eot_tokens) out << YAML::DoubleQuoted << token;
    out << YAML::EndSeq;
  }
  if (!job.chat_template_jinja.empty())
    out << YAML::Key << "chat_template_jinja" << YAML::Value << YAML::DoubleQuoted << job.chat_template_jinja;
  if (!job.lora_target_modules.empty()) {
    out << YAML::Key << "lora_target_modules" << YAML::Value << YAML::BeginSeq;
    for (const std::string& name : job.lora_target_modules) out << YAML::DoubleQuoted << name;
    out << YAML::EndSeq;
  }
  write_placement(out, job);
  for (const char* section : {"schedule", "loss_scale", "checkpoint", "offload", "slurm"})
    write_section(out, job, section);
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

std::string to_yaml(JobSpec job) {
  job.said.clear();
  return to_yaml_with_origins(std::move(job));
}

std::string json_schema() {
  JobSpec defaults;
  json::object properties;
  for (const Key& key : keys()) {
    const std::string section(section_of(key.name));
    if (section.empty()) {
      properties[std::string(key.name)] = schema_of(key, defaults);
      for (const std::string_view alias : key.aliases)
        properties[std::string(alias)] = schema_of(key, defaults);
      continue;
    }
    auto& object = properties[section];
    if (object.is_null()) object = closed_object({});
    object.as_object()["properties"].as_object()[std::string(key.name.substr(section.size() + 1))] =
        schema_of(key, defaults);
  }
  const json::object text{{"type", "string"}};
  properties["datasets"] = {{"type", "array"}, {"minItems", 1}, {"items", data_set_schema()}};
  properties["test_datasets"] = {{"type", "array"}, {"items", data_set_schema()}};
  properties["weight_decay_groups"] = decay_groups_schema();
  properties["eot_tokens"] = {{"type", "array"}, {"items", text}};
  properties["chat_template_jinja"] = text;
  properties["lora_target_modules"] = {{"type", "array"}, {"items", text}};
  properties["include"] = text;
  properties["placement"] = placement_schema();
  const auto describe = [&](std::string_view name, std::string_view note) {
    json::object* place = &properties;
    for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
      auto& section = (*place)[std::string(name.substr(0, dot))];
      if (!section.is_object() || !section.as_object().contains("properties"))
        section = {{"properties", json::object()}};
      place = &section.as_object()["properties"].as_object();
      name.remove_prefix(dot + 1);
    }
    if (!place->contains(std::string(name)))
      (*place)[std::string(name)] = {{"description", std::string(note)}};
  };
  for (const MappedKey& key : mapped_keys()) describe(key.name, key.note);
  for (const ForeignKey& key : axolotl_keys())
    if (key.fate == ForeignKey::Fate::noted) describe(key.name, key.note);
  for (const std::string_view section : foreign_sections())
    describe(section, "Another tool's settings, taken over into trireme's own");
  json::object root = closed_object(std::move(properties));
  root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  root["title"] = "trireme job";
  root["required"] = json::array{"base_model", "datasets", "learning_rate"};
  return json::serialize(root);
}

}  // namespace trireme::jobs
