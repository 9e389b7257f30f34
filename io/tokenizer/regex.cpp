#include "io/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <array>

#include <pcre2.h>

#include "core/error.h"

namespace trireme::io {
namespace {

const pcre2_code* code_of(const std::shared_ptr<const void>& code) {
  return static_cast<const pcre2_code*>(code.get());
}

using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;

}  // namespace

Regex::Regex(const std::string& expression) {
  int problem = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                                   PCRE2_UTF | PCRE2_UCP, &problem, &place, nullptr);
  if (!code) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(problem, text.data(), text.size());
    fail(ExitCode::damaged, "the regular expression '{}' is not valid at character {}: {}", expression, place,
         reinterpret_cast<const char*>(text.data()));
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it matching is slower, not wrong
  code_ = std::shared_ptr<const void>(
      code, [](const void* held) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(held))); });
}

Regex Regex::of_literal(const std::string& literal) {
  std::string expression = "\\Q";
  for (std::size_t at = 0;;) {
    const std::size_t end = literal.find("\\E", at);
    expression += literal.substr(at, end - at);
    if (end == std::string::npos) break;
    expression += "\\E\\\\E\\Q";
    at = end + 2;
  }
  return Regex(expression + "\\E");
}

Regex::Match Regex::find(std::string_view text, std::size_t from) const {
  thread_local const MatchData data(pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  const int groups = pcre2_match(code_of(code_), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                 PCRE2_NO_UTF_CHECK, data.get(), nullptr);
  if (groups == PCRE2_ERROR_NOMATCH) return {};
  if (groups < 0)
    fail(ExitCode::damaged,
         "a regular expression of the tokenizer gave up on a text of {} bytes (PCRE2 error {})", text.size(),
         groups);
  const PCRE2_SIZE* places = pcre2_get_ovector_pointer(data.get());
  return {places[0], places[1], true};
}

}  // namespace trireme::io
