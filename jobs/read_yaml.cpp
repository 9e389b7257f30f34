#include "jobs/read_yaml.h"

#include <set>

#include <fmt/format.h>

#include "core/error.h"
#include "io/file.h"

namespace trireme::jobs {
namespace {

constexpr int deepest_include = 8;
constexpr std::uint64_t longest_file = 1 << 20;

std::string at_line(const std::string& where, const YAML::Mark& mark) {
  return mark.is_null() ? where : fmt::format("{}, line {}", where, mark.line + 1);
}

YAML::Node load(std::string_view text, const std::string& where) {
  try {
    return YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    fail(ExitCode::configuration, "{}: not valid YAML: {}", at_line(where, error.mark), error.msg);
  }
}

class Flattener {
 public:
  Flattener(std::string where, std::filesystem::path folder, int depth)
      : where_(std::move(where)), folder_(std::move(folder)), depth_(depth) {}

  std::vector<Setting> flatten(std::string_view text) {
    const YAML::Node root = load(text, where_);
    if (root.IsNull()) return {};
    if (!root.IsMap()) fail(ExitCode::configuration, "{}: must be a mapping of keys to values", where_);
    include(root);
    walk(root, "", 0);
    return std::move(settings_);
  }

 private:
  void include(const YAML::Node& root) {
    for (const auto& item : root) {
      if (!item.first.IsScalar() || item.first.Scalar() != "include") continue;
      const std::string here = at_line(where_, item.first.Mark());
      if (!item.second.IsScalar()) fail(ExitCode::configuration, "{}: include must name one file", here);
      if (depth_ >= deepest_include)
        fail(ExitCode::configuration, "{}: files include each other more than {} deep", here,
             deepest_include);
      const std::filesystem::path path = folder_ / item.second.Scalar();
      Flattener other(path.string(), path.parent_path(), depth_ + 1);
      settings_ = other.flatten(io::read_text(path, longest_file));
    }
  }

  void walk(const YAML::Node& map, const std::string& prefix, int level) {
    for (const auto& item : map) {
      const std::string here = at_line(where_, item.first.Mark());
      if (!item.first.IsScalar()) fail(ExitCode::configuration, "{}: a key must be a word", here);
      const std::string name = prefix + item.first.Scalar();
      if (!seen_.insert(name).second)
        fail(ExitCode::configuration, "{}: the key {} is given twice", here, name);
      if (name == "include") continue;
      if (item.second.IsMap() && level < 3) {
        walk(item.second, name + ".", level + 1);
      } else {
        settings_.push_back({name, item.second, here});
      }
    }
  }

  std::string where_;
  std::filesystem::path folder_;
  int depth_;
  std::set<std::string> seen_;
  std::vector<Setting> settings_;
};

}  // namespace

std::vector<Setting> read_settings(std::string_view text, const std::string& where,
                                   const std::filesystem::path& folder) {
  if (text.size() > longest_file)
    fail(ExitCode::configuration, "{}: is longer than {} bytes, which no job file is", where, longest_file);
  return Flattener(where, folder, 0).flatten(text);
}

Setting read_override(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos || equals == 0)
    fail(ExitCode::usage, "command line: \"{}\" is not of the form key=value", word);
  const std::string where = "command line, " + word.substr(0, equals);
  return {word.substr(0, equals), load(word.substr(equals + 1), where), "command line"};
}

}  // namespace trireme::jobs
