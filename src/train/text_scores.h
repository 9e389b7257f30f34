#pragma once
#include <string_view>

namespace trireme::train {

/// F-measure of the longest common subsequence of words, as the rouge_score package counts rougeL without
/// stemming: words are runs of a-z and 0-9 in small letters.
double rouge_l(std::string_view prediction, std::string_view reference);

/// Whether two texts are equal but for white space around them.
bool exact_match(std::string_view prediction, std::string_view reference);

}  // namespace trireme::train
