#include "io/data/documents.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "core/error.h"
#include "io/data/row_tokens.h"
#include "io/data/tokenizer_config.h"

namespace trireme::io {
namespace {

void add_within(Documents& documents, const RowTokens& tokens, const TextRules& rules, bool is_completion) {
  const std::vector<std::int32_t>& ids = tokens.ids;
  const std::vector<std::uint8_t>& scored = tokens.scored;
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

Documents tokenise_share(const DataSource& source, const RowFile& file, RowRange rows,
                         const Tokenizer& tokenizer, const TextRules& rules) {
  Documents documents;
  RowTokens tokens;
  const auto cache = Tokenizer::make_cache();
  for (std::uint64_t row = rows.first; row < rows.last; ++row) {
    try {
      tokenise_row(source, file.read(row), file.where(row), tokenizer, rules, *cache, tokens);
    } catch (const Error& error) {
      if (error.code() != ExitCode::damaged) throw;
      if (!source.skip_bad_rows)
        fail(ExitCode::damaged, "{}; mend the row, or pass over such rows with skip_bad_rows: true",
             error.what());
      ++documents.skipped_rows;
      continue;
    }
    add_within(documents, tokens, rules, source.format.kind == PromptFormat::Kind::completion);
  }
  return documents;
}

}  // namespace

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

RowRange rows_of(const DataSource& source, const RowFile& file) {
  const std::uint64_t last = source.last == 0 ? file.rows() : std::min(source.last, file.rows());
  return {std::min(source.first, last), last};
}

Documents tokenise(const DataSource& source, const Tokenizer& tokenizer, const TextRules& rules) {
  const RowFile file(source.path, source.kind);
  return tokenise(source, file, rows_of(source, file), tokenizer, rules);
}

Documents tokenise(const DataSource& source, const RowFile& file, RowRange rows, const Tokenizer& tokenizer,
                   const TextRules& rules) {
  constexpr std::uint64_t rows_a_share = 512;
  const std::uint64_t shares = (rows.last - rows.first + rows_a_share - 1) / rows_a_share;
  std::vector<Documents> parts(shares);
  std::vector<std::exception_ptr> failures(shares);
  std::atomic<std::uint64_t> next{0};
  const auto work = [&] {
    for (std::uint64_t share = next++; share < shares; share = next++) {
      const std::uint64_t begin = rows.first + share * rows_a_share;
      try {
        parts[share] = tokenise_share(source, file, {begin, std::min(begin + rows_a_share, rows.last)},
                                      tokenizer, rules);
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
  const TokenizerConfig config(folder);
  const auto token = config.special_token("eos_token");
  if (!token)
    fail(ExitCode::configuration, "{}: names no eos_token; give the job special_tokens.eos_token",
         config.path().string());
  const std::int32_t id = tokenizer.id_of(*token);
  if (id < 0)
    fail(ExitCode::configuration, "{}: the tokenizer has no token \"{}\", the eos_token",
         config.path().string(), *token);
  return id;
}

}  // namespace trireme::io
