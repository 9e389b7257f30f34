#include "core/bytes.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace trireme {

std::string human_bytes(double bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  while (std::abs(bytes) >= 1024 && unit + 1 < units.size()) bytes /= 1024, ++unit;
  const bool whole = std::abs(bytes - std::round(bytes)) < 0.005;
  return whole ? fmt::format("{:.0f} {}", bytes, units[unit]) : fmt::format("{:.2f} {}", bytes, units[unit]);
}

std::uint64_t parse_bytes(std::string_view text) {
  const auto refuse = [&]() {
    fail(ExitCode::usage, "'{}' is not a number of bytes; write it as 65536, 64K, 64KiB or 1.5GB", text);
  };
  double number = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || !(number >= 0) || !std::isfinite(number)) refuse();
  std::string_view suffix(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
  while (!suffix.empty() && suffix.front() == ' ') suffix.remove_prefix(1);
  double factor = 1;
  if (!suffix.empty() && suffix != "B" && suffix != "b") {
    constexpr std::string_view letters = "KMGTP";
    const auto power = letters.find(static_cast<char>(suffix.front() & ~0x20));
    if (power == std::string_view::npos) refuse();
    const auto tail = suffix.substr(1);
    if (!tail.empty() && tail != "B" && tail != "iB" && tail != "i") refuse();
    factor = std::pow(tail == "B" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
  }
  const double bytes = number * factor;
  if (bytes >= static_cast<double>(std::numeric_limits<std::uint64_t>::max())) refuse();
  return static_cast<std::uint64_t>(std::llround(bytes));
}

}  // namespace trireme
