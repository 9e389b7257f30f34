#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace trireme::jobs {

/// The known word nearest to `word` in edits (a swap of neighbours counts as one), or "" when none is near.
std::string nearest(std::string_view word, const std::vector<std::string_view>& known);
/// ", did you mean X?" or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace trireme::jobs
