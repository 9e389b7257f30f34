#include "jobs/own_words.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "core/error.h"
#include "jobs/imports/accelerate.h"
#include "jobs/imports/deepspeed.h"
#include "jobs/imports/fsdp.h"

namespace trireme::jobs {
namespace {

/// The settings of one section, its own value under the name "".
using Section = std::map<std::string, Setting>;

std::string_view section_of(std::string_view name) {
  return name.substr(0, name.find('.'));
}

/// Takes the foreign sections out of `settings`; what comes later replaces what came before.
void take_out(std::vector<Setting>& settings, std::map<std::string_view, Section>& sections,
              const std::filesystem::path& folder) {
  std::vector<Setting> others;
  for (Setting& setting : settings) {
    const auto& names = foreign_sections();
    const auto name = std::find(names.begin(), names.end(), section_of(setting.name));
    if (name == names.end()) {
      others.push_back(std::move(setting));
      continue;
    }
    Section& section = sections[*name];
    std::string rest = setting.name.size() > name->size() ? setting.name.substr(name->size() + 1) : "";
    if (rest.empty()) section.clear();
    // A file beside the job file goes before one of that name in the working folder.
    std::error_code unseen;
    if (rest.empty() && setting.value.IsScalar() &&
        std::filesystem::exists(folder / setting.value.Scalar(), unseen))
      setting.value.reset(YAML::Node((folder / setting.value.Scalar()).string()));
    section.insert_or_assign(std::move(rest), std::move(setting));
  }
  settings = std::move(others);
}

std::vector<Setting> members(const Section& section) {
  std::vector<Setting> all;
  for (const auto& [name, setting] : section) {
    if (name.empty()) continue;
    all.push_back(setting);
    all.back().name = name;
  }
  return all;
}

bool is_off(const Section& section) {
  return std::all_of(section.begin(), section.end(),
                     [](const auto& entry) { return entry.first.empty() && means_off(entry.second.value); });
}

std::filesystem::path file_of(const Section& section, std::string_view name) {
  const Setting& setting = section.at("");
  if (!setting.value.IsScalar())
    fail(ExitCode::configuration, "{}: {} must name one file", setting.where, name);
  return setting.value.Scalar();
}

Import import_all(const std::map<std::string_view, Section>& sections, bool quantised_base) {
  Import all;
  std::vector<std::string> used;
  const auto section = [&](std::string_view name) -> const Section* {
    const auto found = sections.find(name);
    return found == sections.end() || is_off(found->second) ? nullptr : &found->second;
  };
  if (const Section* deepspeed = section("deepspeed")) {
    used.emplace_back("deepspeed");
    all.append(deepspeed->contains("") ? read_deepspeed(file_of(*deepspeed, "deepspeed"))
                                       : compose_deepspeed(members(*deepspeed)));
  }
  FsdpSettings fsdp;
  fsdp.quantised_base = quantised_base;
  if (const Section* words = section("fsdp")) fsdp.words.push_back(words->begin()->second);
  if (const Section* config = section("fsdp_config")) fsdp.config = members(*config);
  if (!fsdp.words.empty() || !fsdp.config.empty()) used.emplace_back("fsdp"), all.append(read_fsdp(fsdp));
  if (const Section* accelerate = section("accelerate")) {
    used.emplace_back("accelerate");
    all.append(read_accelerate(file_of(*accelerate, "accelerate"), quantised_base));
  }
  if (used.size() > 1) fail(ExitCode::configuration, "{} and {} are both given; keep one", used[0], used[1]);
  return all;
}

bool says_the_same(const YAML::Node& one, const YAML::Node& other) {
  if (!one.IsScalar() || !other.IsScalar()) return false;
  const auto number = [](const std::string& text) -> std::optional<double> {
    double value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  };
  const auto a = number(one.Scalar()), b = number(other.Scalar());
  return a && b ? *a == *b : one.Scalar() == other.Scalar();
}

std::string known_name(const std::string& name) {
  return name == "placement" ? "placement.preset" : name;
}

void require_agreement(const Import& import, const std::vector<Setting>& file) {
  std::map<std::string, const Setting*> said;
  for (const Setting& setting : import.settings) {
    const auto [before, fresh] = said.emplace(setting.name, &setting);
    if (!fresh && !says_the_same(before->second->value, setting.value))
      fail(ExitCode::configuration, "{} says {} = {}, but {} says {}; make them agree", setting.where,
           setting.name, shown(setting.value), before->second->where, shown(before->second->value));
  }
  for (const Setting& setting : file) {
    const auto found = said.find(known_name(setting.name));
    if (found == said.end() || setting.value.IsNull() || says_the_same(found->second->value, setting.value))
      continue;
    fail(
        ExitCode::configuration,
        "{}: {} is {}, but {} says {}; make them agree, or leave one out (in DeepSpeed's file \"auto\" takes "
        "the job's)",
        setting.where, setting.name, shown(setting.value), found->second->where, shown(found->second->value));
  }
}

}  // namespace

const std::vector<std::string_view>& foreign_sections() {
  static const std::vector<std::string_view> names{"deepspeed", "fsdp", "fsdp_config", "accelerate"};
  return names;
}

std::vector<Setting> in_own_words(std::vector<Setting> file, std::vector<Setting> command_line,
                                  const std::filesystem::path& folder, std::vector<std::string>& notes) {
  std::map<std::string_view, Section> sections;
  take_out(file, sections, folder);
  take_out(command_line, sections, {});
  if (!sections.empty()) {
    bool quantised_base = false;
    for (const auto* settings : {&file, &command_line})
      for (const Setting& setting : *settings)
        if (setting.name == "adapter" && setting.value.IsScalar())
          quantised_base = setting.value.Scalar() == "qlora";
    Import import = import_all(sections, quantised_base);
    const auto imports = [&](const Setting& setting) {
      return std::any_of(import.settings.begin(), import.settings.end(),
                         [&](const Setting& said) { return said.name == setting.name; });
    };
    std::erase_if(file, [&](const Setting& setting) {
      return setting.value.IsScalar() && setting.value.Scalar() == "auto" && imports(setting);
    });
    require_agreement(import, file);
    for (const Mapped& mapped : import.mapped) notes.push_back(sentence_of(mapped));
    file.insert(file.begin(), import.settings.begin(), import.settings.end());
  }
  file.insert(file.end(), command_line.begin(), command_line.end());
  return file;
}

}  // namespace trireme::jobs
