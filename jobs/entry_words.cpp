#include "jobs/entry_words.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/error.h"

namespace trireme::jobs {
namespace {

struct EntryName {
  std::string list;
  std::size_t index = 0;
  std::string field;  ///< empty: the entry itself
};

/// "datasets[0].path"; nothing for a plain name.
std::optional<EntryName> entry_name(const std::string& name) {
  const std::size_t open = name.find('['), close = name.find(']', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || open == 0 || close == std::string::npos) return std::nullopt;
  EntryName entry{name.substr(0, open), 0, ""};
  const char* end = name.data() + close;
  const auto [stop, problem] = std::from_chars(name.data() + open + 1, end, entry.index);
  if (problem != std::errc() || stop != end) return std::nullopt;
  if (close + 1 == name.size()) return entry;
  if (name[close + 1] != '.' || close + 2 == name.size()) return std::nullopt;
  entry.field = name.substr(close + 2);
  return entry;
}

void change(Setting& list, const EntryName& entry, const Setting& word) {
  if (!list.value.IsSequence() || entry.index >= list.value.size())
    fail(ExitCode::configuration, "{}: {}: {} has {} entries, counted from 0", word.where, word.name,
         entry.list, list.value.IsSequence() ? list.value.size() : 0);
  YAML::Node changed = YAML::Clone(list.value);
  if (entry.field.empty()) {
    changed[entry.index] = word.value;
  } else if (changed[entry.index].IsMap()) {
    changed[entry.index][entry.field] = word.value;
  } else {
    fail(ExitCode::configuration, "{}: {}: that entry of {} is not a mapping", word.where, word.name,
         entry.list);
  }
  list.value.reset(changed);
}

}  // namespace

void change_entries(std::vector<Setting>& settings) {
  std::vector<Setting> whole;
  for (const Setting& setting : settings) {
    const auto entry = entry_name(setting.name);
    if (!entry) {
      whole.push_back(setting);
      continue;
    }
    const auto list = std::find_if(whole.rbegin(), whole.rend(),
                                   [&](const Setting& before) { return before.name == entry->list; });
    if (list == whole.rend())
      fail(ExitCode::configuration, "{}: {}: the job has no list {}", setting.where, setting.name,
           entry->list);
    change(*list, *entry, setting);
  }
  settings = std::move(whole);
}

}  // namespace trireme::jobs
