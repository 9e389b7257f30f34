#include "train/text_scores.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace trireme::train {
namespace {

/// Python's lower() takes two letters beyond ASCII to ones inside it: U+0130 to "i" and a dot above, which
/// ends a word, and the Kelvin sign to "k".
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if ((letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9')) {
      word += letter;
    } else if (letter >= 'A' && letter <= 'Z') {
      word += static_cast<char>(letter - 'A' + 'a');
    } else if (text.substr(i, 3) == "\xE2\x84\xAA") {
      word += 'k', i += 2;
    } else if (text.substr(i, 2) == "\xC4\xB0") {
      word += 'i', i += 1;
      end_word();
    } else {
      end_word();
    }
  }
  end_word();
  return words;
}

std::size_t common_subsequence(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::size_t> lengths(b.size() + 1, 0);
  for (const std::string& word : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = lengths[j];
      lengths[j] = word == b[j - 1] ? diagonal + 1 : std::max(above, lengths[j - 1]);
      diagonal = above;
    }
  }
  return lengths.back();
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\n\r\f\v";
  const std::size_t begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

}  // namespace

double rouge_l(std::string_view prediction, std::string_view reference) {
  const auto predicted = words_of(prediction), wanted = words_of(reference);
  if (predicted.empty() || wanted.empty()) return 0;
  const auto common = static_cast<double>(common_subsequence(wanted, predicted));
  const double precision = common / static_cast<double>(predicted.size()),
               recall = common / static_cast<double>(wanted.size());
  return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}

bool exact_match(std::string_view prediction, std::string_view reference) {
  return trimmed(prediction) == trimmed(reference);
}

}  // namespace trireme::train
