#include "io/checkpoint/folder.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <tuple>

#include <fmt/format.h>

#include "core/error.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view prefix = "step-";

std::vector<std::string> folder_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code status;
  for (fs::directory_iterator entry(folder, status), end; !status && entry != end; entry.increment(status)) {
    std::error_code gone;
    if (entry->is_directory(gone)) names.push_back(entry->path().filename().string());
  }
  // A folder that cannot be listed is not an empty one: a run would start anew.
  // Asked as errno is: an error_category is virtual, which UBSan needs a descriptor of its own to look at.
  if (const int problem = status.value(); problem != 0 && problem != ENOENT)
    fail(ExitCode::requeue, "{}: cannot be listed: {}{}", folder.string(), std::strerror(problem),
         problem == EMFILE ? "; raise the limit (ulimit -n)" : "");
  return names;
}

/// A replaced one stands before what replaces it.
auto age(const std::string& name) {
  return std::tuple(step_of(name).value_or(-1), !name.ends_with(replaced_suffix), name);
}

}  // namespace

std::string checkpoint_name(std::int64_t step, double epoch, std::int64_t samples) {
  return fmt::format("{}{:08d}-epoch-{:.2f}-samples-{}", prefix, step, epoch, samples);
}

std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  std::int64_t step = 0;
  const char* begin = name.data() + prefix.size();
  const auto [stop, status] = std::from_chars(begin, name.data() + name.size(), step);
  if (status != std::errc() || step < 0) return std::nullopt;
  return step;
}

std::vector<std::string> checkpoint_names(const fs::path& checkpoints) {
  std::vector<std::string> names = folder_names(checkpoints);
  std::erase_if(names,
                [](const std::string& name) { return !step_of(name) || name.ends_with(temporary_suffix); });
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return age(a) < age(b); });
  return names;
}

std::vector<std::string> temporary_names(const fs::path& checkpoints) {
  std::vector<std::string> names = folder_names(checkpoints);
  std::erase_if(names,
                [](const std::string& name) { return !step_of(name) || !name.ends_with(temporary_suffix); });
  return names;
}

}  // namespace trireme::io
