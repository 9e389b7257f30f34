#include "jobs/read_job.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include <fmt/ranges.h>

#include "core/error.h"
#include "io/file.h"
#include "io/npy.h"
#include "jobs/check.h"
#include "jobs/data_sets.h"
#include "jobs/decay_groups.h"
#include "jobs/entry_words.h"
#include "jobs/imports/axolotl_keys.h"
#include "jobs/keys.h"
#include "jobs/own_words.h"
#include "jobs/placement_keys.h"
#include "jobs/read_yaml.h"
#include "jobs/suggest.h"

namespace trireme::jobs {
namespace {

[[noreturn]] void wrong(const Setting& setting, std::string_view expected) {
  const std::string given = setting.value.IsScalar()
                                ? fmt::format("\"{}\"", setting.value.Scalar().substr(0, 60))
                                : std::string("a list or mapping");
  fail(ExitCode::configuration, "{}: {} must be {}, not {}", setting.where, setting.name, expected, given);
}

template <typename Number>
Number number_of(const Setting& setting, std::string_view expected) {
  if (!setting.value.IsScalar()) wrong(setting, expected);
  const std::string& text = setting.value.Scalar();
  const char* end = text.data() + text.size();
  Number value{};
  const auto [stop, status] = std::from_chars(text.data(), end, value);
  if (status != std::errc() || stop != end) wrong(setting, expected);
  return value;
}

std::string in_bounds(const Key& key) {
  return fmt::format("between {} and {}", key.least, key.most);
}

void assign(const Key& key, std::int64_t& place, const Setting& setting) {
  const auto value = number_of<std::int64_t>(setting, "a whole number");
  if (key.least < key.most &&
      (static_cast<double>(value) < key.least || static_cast<double>(value) > key.most))
    wrong(setting, in_bounds(key));
  place = value;
}

void assign(const Key& key, double& place, const Setting& setting) {
  const double value = number_of<double>(setting, "a number");
  if (!std::isfinite(value) || (key.least < key.most && (value < key.least || value > key.most)))
    wrong(setting, in_bounds(key));
  place = value;
}

void assign(const Key&, bool& place, const Setting& setting) {
  if (!setting.value.IsScalar()) wrong(setting, "true or false");
  const std::string& text = setting.value.Scalar();
  if (text != "true" && text != "false") wrong(setting, "true or false");
  place = text == "true";
}

void assign(const Key& key, std::string& place, const Setting& setting) {
  if (!setting.value.IsScalar()) wrong(setting, "one word or text");
  const std::string& text = setting.value.Scalar();
  for (const RefusedValue& refused : refused_values())
    if (refused.key == key.name && refused.value == text)
      fail(ExitCode::configuration, "{}: {}: {} is refused: {}", setting.where, setting.name, text,
           refused.reason);
  if (!key.choices.empty() && std::find(key.choices.begin(), key.choices.end(), text) == key.choices.end())
    fail(ExitCode::configuration, "{}: {} must be one of {}, not \"{}\"{}", setting.where, setting.name,
         fmt::join(key.choices, ", "), text.substr(0, 60), did_you_mean(text, key.choices));
  if (text.find('\0') != std::string::npos || text.find('\n') != std::string::npos)
    wrong(setting, "a single line");
  place = text;
}

std::vector<std::string_view> all_names() {
  std::vector<std::string_view> names{
      "datasets",   "test_datasets", "weight_decay_groups", "lora_target_modules",
      "eot_tokens", "placement",     "chat_template_jinja", "include"};
  for (const Key& key : keys()) names.push_back(key.name);
  for (const RefusedKey& key : refused_keys()) names.push_back(key.name);
  for (const MappedKey& key : mapped_keys()) names.push_back(key.name);
  for (const ForeignKey& key : axolotl_keys()) names.push_back(key.name);
  for (const std::string_view name : foreign_sections()) names.push_back(name);
  for (const std::string& name : placement_key_names()) names.push_back(name);
  return names;
}

[[noreturn]] void unknown(const Setting& setting) {
  for (const Key& key : keys()) {
    const std::size_t dot = key.name.find('.');
    if (dot != std::string_view::npos && key.name.substr(dot + 1) == setting.name)
      fail(ExitCode::configuration, "{}: {} belongs in the section {}:", setting.where, setting.name,
           key.name.substr(0, dot));
  }
  fail(ExitCode::configuration, "{}: the key {} is unknown{}", setting.where, setting.name.substr(0, 80),
       did_you_mean(setting.name, all_names()));
}

void read_data_sets(const Setting& setting, std::vector<DataSet>& sets) {
  if (!setting.value.IsSequence()) wrong(setting, "a list");
  sets.clear();
  for (std::size_t i = 0; i < setting.value.size(); ++i)
    sets.push_back(
        read_data_set(fmt::format("{}: {}[{}]", setting.where, setting.name, i), setting.value[i]));
}

void read_target_modules(const Setting& setting, JobSpec& job) {
  job.lora_target_modules.clear();
  if (setting.value.IsNull()) return;
  if (!setting.value.IsSequence()) wrong(setting, "a list of names");
  for (const auto& entry : setting.value) {
    if (!entry.IsScalar() || entry.Scalar().empty()) wrong(setting, "a list of names");
    job.lora_target_modules.push_back(entry.Scalar());
  }
}

/// Data that lies beside a model follows it.
void put_base_model(DataSet& set, const std::string& base_model) {
  constexpr std::string_view word = "{base_model}";
  if (set.path.starts_with(word)) set.path = base_model + set.path.substr(word.size());
}

/// Where nobody says how long rows are, and they are made already.
void take_length_of_rows(JobSpec& job) {
  const DataSet& first = job.datasets.front();
  std::error_code unseen;
  if (job.said.contains("sequence_len") || !first.is_token_array() ||
      !std::filesystem::exists(first.path, unseen))
    return;
  const io::NpyFile rows(first.path);
  if (rows.shape().size() > 1 && rows.shape().back() > 0) job.sequence_len = rows.shape().back();
}

bool names_key(const Key& key, const std::string& name) {
  return key.name == name || std::find(key.aliases.begin(), key.aliases.end(), name) != key.aliases.end();
}

/// The one name of a key that may be spelt in several ways.
std::string canonical(const std::string& name) {
  if (name == "placement") return "placement.preset";
  for (const Key& key : keys())
    if (names_key(key, name)) return std::string(key.name);
  return name;
}

/// A section that is refused as a whole is refused by its first part.
std::string_view first_part(std::string_view name) {
  return name.substr(0, name.find('.'));
}

/// Keys of other tools: noted or refused; false: none of them.
bool apply_foreign(const Setting& setting, JobSpec& job) {
  for (const MappedKey& key : mapped_keys())
    if (key.name == setting.name) return job.notes.push_back(fmt::format("{}: {}", key.name, key.note)), true;
  for (const ForeignKey& key : axolotl_keys())
    if (key.name == setting.name && key.fate == ForeignKey::Fate::noted)
      return job.notes.push_back(fmt::format("{}: {}", key.name, key.note)), true;
  const auto refuse = [&](std::string_view reason) {
    if (!means_off(setting.value))
      fail(ExitCode::configuration, "{}: {} is refused: {}", setting.where, setting.name, reason);
    return true;
  };
  for (const RefusedKey& key : refused_keys())
    if (key.name == setting.name || key.name == first_part(setting.name)) return refuse(key.reason);
  for (const ForeignKey& key : axolotl_keys())
    if (key.name == setting.name || key.name == first_part(setting.name)) return refuse(key.note);
  return false;
}

void apply(const Setting& setting, JobSpec& job) {
  if (setting.name == "datasets") return read_data_sets(setting, job.datasets);
  if (setting.name == "test_datasets") {
    if (setting.value.IsNull()) return job.test_datasets.clear();
    return read_data_sets(setting, job.test_datasets);
  }
  if (setting.name == "weight_decay_groups") {
    job.weight_decay_groups =
        read_decay_groups(fmt::format("{}: weight_decay_groups", setting.where), setting.value);
    return;
  }
  if (setting.name == "lora_target_modules") return read_target_modules(setting, job);
  if (setting.name == "eot_tokens") {
    job.eot_tokens = read_words(fmt::format("{}: eot_tokens", setting.where), setting.value);
    return;
  }
  if (setting.name == "chat_template_jinja") {
    if (!setting.value.IsScalar() && !setting.value.IsNull()) wrong(setting, "a template or the file of one");
    job.chat_template_jinja = setting.value.IsNull() ? "" : setting.value.Scalar();
    return;
  }
  if (first_part(setting.name) == "placement") {
    if (!apply_placement(setting, job.placement)) unknown(setting);
    return;
  }
  for (const Key& key : keys()) {
    if (!names_key(key, setting.name)) continue;
    if (setting.value.IsNull()) return;
    return std::visit([&](auto place) { assign(key, place(job), setting); }, key.place);
  }
  if (!apply_foreign(setting, job)) unknown(setting);
}

}  // namespace

JobSpec parse_job(std::string_view text, const std::string& where, const std::vector<std::string>& overrides,
                  const std::filesystem::path& folder) {
  JobSpec job;
  std::vector<Setting> command_line;
  for (const std::string& word : overrides) command_line.push_back(read_override(word));
  std::vector<Setting> settings =
      in_own_words(read_settings(text, where, folder), std::move(command_line), folder, job.notes);
  change_entries(settings);
  // What is said again later is not looked at, so that a value which is refused can be replaced.
  std::map<std::string, const Setting*> last;
  for (const Setting& setting : settings) last[canonical(setting.name)] = &setting;
  for (const Setting& setting : settings) {
    const std::string name = canonical(setting.name);
    if (last.at(name) != &setting) continue;
    apply(setting, job);
    if (!setting.value.IsNull()) job.said[name] = setting.where;
  }
  const bool is_foreign = !job.notes.empty();
  for (std::vector<DataSet>* sets : {&job.datasets, &job.test_datasets})
    for (DataSet& set : *sets) put_base_model(set, job.base_model);
  check(job, where);
  if (is_foreign) say_other_defaults(job);
  return job;
}

JobSpec load_job(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  JobSpec job = parse_job(io::read_text(path, 1 << 20), path.string(), overrides, path.parent_path());
  take_length_of_rows(job);
  return job;
}

}  // namespace trireme::jobs
