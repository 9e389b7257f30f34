#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace trireme::io {

/// What the file `latest` of a folder of checkpoints says, beside what is there. Programs resume without it.
struct Latest {
  enum class State : std::uint8_t { names_the_newest, names_an_older_one, names_none, absent };
  State state = State::absent;
  /// For people; empty where it names the newest.
  std::string words;
  bool is_damaged() const { return state == State::names_none; }
};

Latest read_latest(const std::filesystem::path& checkpoints);

}  // namespace trireme::io
