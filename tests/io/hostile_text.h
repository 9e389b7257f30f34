#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace trireme::tests {

struct TextGroup {
  std::string name;
  /// Calls `use` with each text of the group.
  std::function<void(const std::function<void(const std::string&)>& use)> each;
};

/// Texts that tokenizers disagree about, the same letter for letter as tests/golden/hostile_text.py makes
/// them.
std::vector<TextGroup> hostile_text();

}  // namespace trireme::tests
