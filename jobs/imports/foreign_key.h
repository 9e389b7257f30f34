#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/imports/mapped.h"

namespace trireme::jobs {

/// One key of another tool's file and what becomes of it.
struct ForeignKey {
  enum class Fate {
    same,      ///< its value goes to our key `ours`
    composed,  ///< the importer reads it together with others
    noted,     ///< accepted whatever its value, for the reason in `note`
    refused,   ///< accepted where its value means "off", refused otherwise for the reason in `note`
  };
  std::string_view name;
  Fate fate = Fate::noted;
  std::string_view ours = {}, note = {};
};

/// True for null, false, 0, none, "no" and empty lists and mappings.
bool means_off(const YAML::Node& value);
/// The value in a message, shortened.
std::string shown(const YAML::Node& value);

/// A foreign file's settings under their names, and what they turn into. Reading goes by the table; what the
/// table calls composed is asked for by name afterwards.
class ForeignReader {
 public:
  /// `table` outlives the reader.
  ForeignReader(const std::vector<ForeignKey>& table, std::string tool)
      : table_(table), tool_(std::move(tool)) {}

  /// Takes, notes or refuses each setting.
  void read(const std::vector<Setting>& settings);

  /// A composed key's value; nothing where it is absent, null or "auto".
  std::optional<std::string> text(const std::string& name) const;
  bool on(const std::string& name) const;
  double number(const std::string& name, double otherwise) const;
  const Setting* find(const std::string& name) const;

  /// Says that the composed key `name` turned into `ours: value` (none where `ours` is empty).
  void take(const std::string& name, const std::string& ours, const std::string& value,
            const std::string& note = "");
  void note(const std::string& name, const std::string& why) { take(name, "", "", why); }
  [[noreturn]] void refuse(const std::string& name, const std::string& why) const;
  /// Every composed key that is there must have been spoken of by now.
  Import finish();

 private:
  std::string full_name(const Setting& setting) const;
  [[noreturn]] void unknown(const Setting& setting) const;

  const std::vector<ForeignKey>& table_;
  std::string tool_;
  std::map<std::string, Setting> composed_;
  std::set<std::string> spoken_of_;
  Import import_;
};

}  // namespace trireme::jobs
