#include "jobs/imports/foreign_key.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "jobs/suggest.h"

namespace trireme::jobs {
namespace {

bool is_auto(const YAML::Node& value) {
  return value.IsScalar() && value.Scalar() == "auto";
}

}  // namespace

bool means_off(const YAML::Node& value) {
  if (value.IsNull()) return true;
  if (!value.IsScalar()) return value.size() == 0;
  constexpr std::array words{"", "false", "False", "0", "0.0", "none", "None", "no", "null"};
  return std::find(words.begin(), words.end(), value.Scalar()) != words.end();
}

std::string shown(const YAML::Node& value) {
  if (value.IsNull()) return "null";
  if (!value.IsScalar()) return value.IsSequence() ? "[…]" : "{…}";
  std::string text = value.Scalar().substr(0, 60);
  for (char& letter : text)
    if (static_cast<unsigned char>(letter) < ' ') letter = ' ';
  return text;
}

void ForeignReader::read(const std::vector<Setting>& settings) {
  for (const Setting& setting : settings) {
    const auto key = std::find_if(table_.begin(), table_.end(), [&](const ForeignKey& candidate) {
      return candidate.name == setting.name ||
             (candidate.name.ends_with(".*") &&
              setting.name.starts_with(candidate.name.substr(0, candidate.name.size() - 1)));
    });
    if (key == table_.end()) unknown(setting);
    const std::string name = full_name(setting);
    if (is_auto(setting.value) && key->fate != ForeignKey::Fate::noted) {
      import_.mapped.push_back({name, "", "left to the job file"});
      continue;
    }
    switch (key->fate) {
      case ForeignKey::Fate::composed:
        composed_.emplace(setting.name, setting);
        break;
      case ForeignKey::Fate::noted:
        import_.mapped.push_back({name, "", std::string(key->note)});
        break;
      case ForeignKey::Fate::refused:
        if (!means_off(setting.value))
          fail(ExitCode::configuration, "{}: {} is refused: {}", setting.where, name, key->note);
        import_.mapped.push_back({name, "", "is off"});
        break;
      case ForeignKey::Fate::same:
        composed_.emplace(setting.name, setting);
        if (setting.value.IsNull()) {
          note(setting.name, "left to the job file");
        } else {
          if (!setting.value.IsScalar()) refuse(setting.name, "its value must be one number or word");
          take(setting.name, std::string(key->ours), setting.value.Scalar(), std::string(key->note));
        }
        break;
    }
  }
}

std::string ForeignReader::full_name(const Setting& setting) const {
  return fmt::format("{}{} = {}", tool_, setting.name, shown(setting.value));
}

const Setting* ForeignReader::find(const std::string& name) const {
  const auto found = composed_.find(name);
  return found == composed_.end() ? nullptr : &found->second;
}

std::optional<std::string> ForeignReader::text(const std::string& name) const {
  const Setting* setting = find(name);
  if (!setting || setting->value.IsNull()) return std::nullopt;
  if (!setting->value.IsScalar()) refuse(name, "its value must be one number or word");
  return setting->value.Scalar();
}

bool ForeignReader::on(const std::string& name) const {
  const auto value = text(name);
  if (!value || means_off(find(name)->value)) return false;
  constexpr std::array words{"true", "True", "1", "yes"};
  if (std::find(words.begin(), words.end(), *value) == words.end())
    refuse(name, "its value must be true or false");
  return true;
}

double ForeignReader::number(const std::string& name, double otherwise) const {
  const auto value = text(name);
  if (!value) return otherwise;
  double number = 0;
  const auto [end, problem] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (problem != std::errc() || end != value->data() + value->size() || !std::isfinite(number))
    refuse(name, "its value must be a number");
  return number;
}

void ForeignReader::take(const std::string& name, const std::string& ours, const std::string& value,
                         const std::string& note) {
  const Setting* setting = find(name);
  require(setting, "{} is composed but was not read", name);
  spoken_of_.insert(name);
  import_.mapped.push_back(
      {full_name(*setting), ours.empty() ? "" : fmt::format("{}: {}", ours, value), note});
  if (!ours.empty())
    import_.settings.push_back(
        {ours, YAML::Node(value), fmt::format("{}: {}{}", setting->where, tool_, setting->name)});
}

void ForeignReader::refuse(const std::string& name, const std::string& why) const {
  const Setting* setting = find(name);
  require(setting, "{} is refused but was not read", name);
  fail(ExitCode::configuration, "{}: {} is refused: {}", setting->where, full_name(*setting), why);
}

void ForeignReader::unknown(const Setting& setting) const {
  std::vector<std::string_view> names;
  for (const ForeignKey& key : table_) names.push_back(key.name);
  fail(ExitCode::configuration, "{}: the key {}{} is not known{}", setting.where, tool_,
       setting.name.substr(0, 80), did_you_mean(setting.name, names));
}

Import ForeignReader::finish() {
  for (const auto& [name, setting] : composed_)
    require(spoken_of_.contains(name), "nothing was said of {}{}", tool_, name);
  return std::move(import_);
}

}  // namespace trireme::jobs
