#include "io/data/documents.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <numeric>
#include <thread>

#include "core/error.h"
#include "io/data/json_lines.h"
#include "io/file.h"
#include "io/strict_json.h"

namespace trireme::io {
namespace {

/// One row's tokens; nothing is kept of a row whose texts are all empty.
void tokenise_row(const std::vector<PromptPiece>& pieces, const Tokenizer& tokenizer, std::int32_t end_token,
                  Tokenizer::WordCache& cache, std::vector<std::int32_t>& ids,
                  std::vector<std::uint8_t>& scored) {
  ids.clear(), scored.clear();
  bool any = false;
  for (const PromptPiece& piece : pieces) {
    any = any || !piece.text.empty();
    for (const Token& token : tokenizer.encode(piece.text, piece.begins, cache)) ids.push_back(token.id);
    // A post-processor may close the text with the end token itself.
    if (piece.ends && (ids.empty() || ids.back() != end_token)) ids.push_back(end_token);
    scored.resize(ids.size(), piece.scored ? 1 : 0);
  }
  if (!any) ids.clear(), scored.clear();
}

void add_within(Documents& documents, const std::vector<std::int32_t>& ids,
                const std::vector<std::uint8_t>& scored, const TextRules& rules, bool is_completion) {
  const std::uint64_t longest = rules.longest;
  const TooLong choice = is_completion ? TooLong::split : rules.too_long;
  const auto add = [&](std::size_t begin, std::size_t end) {
    documents.add(std::span(ids).subspan(begin, end - begin), std::span(scored).subspan(begin, end - begin));
  };
  if (ids.size() <= longest) {
    if (!ids.empty()) add(0, ids.size());
  } else if (choice == TooLong::drop) {
    ++documents.skipped_rows;
  } else if (choice == TooLong::truncate) {
    add(0, longest);
  } else {
    for (std::size_t begin = 0; begin < ids.size(); begin += longest)
      add(begin, std::min<std::size_t>(begin + longest, ids.size()));
  }
}

Documents tokenise_rows(const DataSource& source, const JsonLines& lines, std::uint64_t first,
                        std::uint64_t last, const Tokenizer& tokenizer, const TextRules& rules) {
  Documents documents;
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> scored;
  const auto cache = Tokenizer::make_cache();
  for (std::uint64_t row = first; row < last; ++row) {
    try {
      const auto pieces = render(source.format, lines.read(row), lines.where(row));
      tokenise_row(pieces, tokenizer, rules.end_token, *cache, ids, scored);
    } catch (const Error& error) {
      if (error.code() != ExitCode::damaged) throw;
      if (!source.skip_bad_rows)
        fail(ExitCode::damaged, "{}; mend the row, or pass over such rows with skip_bad_rows: true",
             error.what());
      ++documents.skipped_rows;
      continue;
    }
    add_within(documents, ids, scored, rules, source.format.kind == PromptFormat::Kind::completion);
  }
  return documents;
}

}  // namespace

std::uint64_t Documents::scored_tokens() const {
  return std::accumulate(scored.begin(), scored.end(), std::uint64_t{0});
}

void Documents::add(std::span<const std::int32_t> tokens, std::span<const std::uint8_t> are_scored) {
  ids.insert(ids.end(), tokens.begin(), tokens.end());
  scored.insert(scored.end(), are_scored.begin(), are_scored.end());
  ends.push_back(ids.size());
}

void Documents::add(const Documents& more) {
  const std::uint64_t before = ids.size();
  ids.insert(ids.end(), more.ids.begin(), more.ids.end());
  scored.insert(scored.end(), more.scored.begin(), more.scored.end());
  for (const std::uint64_t end : more.ends) ends.push_back(before + end);
  skipped_rows += more.skipped_rows;
}

Documents tokenise(const DataSource& source, const Tokenizer& tokenizer, const TextRules& rules) {
  const JsonLines lines(source.path);
  const std::uint64_t last = source.last == 0 ? lines.rows() : std::min(source.last, lines.rows());
  const std::uint64_t first = std::min(source.first, last);
  constexpr std::uint64_t rows_a_share = 512;
  const std::uint64_t shares = (last - first + rows_a_share - 1) / rows_a_share;
  std::vector<Documents> parts(shares);
  std::vector<std::exception_ptr> failures(shares);
  std::atomic<std::uint64_t> next{0};
  const auto work = [&] {
    for (std::uint64_t share = next++; share < shares; share = next++) {
      const std::uint64_t begin = first + share * rows_a_share;
      try {
        parts[share] =
            tokenise_rows(source, lines, begin, std::min(begin + rows_a_share, last), tokenizer, rules);
      } catch (...) {
        failures[share] = std::current_exception();
        next = shares;
      }
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int i = 1; i < rules.threads; ++i) helpers.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  Documents all;
  for (Documents& part : parts) all.add(part), part = {};
  return all;
}

std::int32_t end_token_of(const std::filesystem::path& folder, const Tokenizer& tokenizer) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  const boost::json::value config = parse_strict_json(read_text(path), path.string());
  const boost::json::object* object = config.if_object();
  const boost::json::value* token = object ? object->if_contains("eos_token") : nullptr;
  if (token && token->is_object()) token = token->as_object().if_contains("content");
  if (!token || !token->is_string())
    fail(ExitCode::configuration, "{}: names no eos_token; give the job special_tokens.eos_token",
         path.string());
  const std::int32_t id = tokenizer.id_of(std::string(token->as_string()));
  if (id < 0)
    fail(ExitCode::configuration, "{}: the tokenizer has no token \"{}\", the eos_token", path.string(),
         std::string_view(token->as_string()));
  return id;
}

}  // namespace trireme::io
