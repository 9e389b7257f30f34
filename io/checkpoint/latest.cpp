#include "io/checkpoint/latest.h"

#include <algorithm>

#include <fmt/format.h>

#include "io/checkpoint/folder.h"
#include "io/file.h"

namespace trireme::io {

Latest read_latest(const std::filesystem::path& checkpoints) {
  const std::filesystem::path path = checkpoints / latest_file;
  const std::vector<std::string> names = checkpoint_names(checkpoints);
  if (!std::filesystem::exists(path) || names.empty())
    return {Latest::State::absent, "there is none: a first save ended before it was named"};
  constexpr std::uint64_t most = 4096;
  const std::string text = read_text(path, most);
  if (text == names.back() + "\n") return {Latest::State::names_the_newest, {}};
  const bool there =
      std::any_of(names.begin(), names.end(), [&](const std::string& name) { return text == name + "\n"; });
  if (!there)
    return {Latest::State::names_none, "is damaged, or what it names was removed; the next save replaces it"};
  return {Latest::State::names_an_older_one,
          fmt::format("names {} and not {}: a save ended before it was named, or the file is damaged; the "
                      "next save replaces it",
                      text.substr(0, text.size() - 1), names.back())};
}

}  // namespace trireme::io
