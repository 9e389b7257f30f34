#include "io/data/row_tokens.h"

#include "core/error.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

void from_pieces(const std::vector<PromptPiece>& pieces, const Tokenizer& tokenizer, std::int32_t end_token,
                 Tokenizer::WordCache& cache, RowTokens& out) {
  bool any = false;
  for (const PromptPiece& piece : pieces) {
    any = any || !piece.text.empty();
    for (const Token& token : tokenizer.encode(piece.text, piece.begins, cache)) out.ids.push_back(token.id);
    // A post-processor may close the text with the end token itself.
    if (piece.ends && (out.ids.empty() || out.ids.back() != end_token)) out.ids.push_back(end_token);
    out.scored.resize(out.ids.size(), piece.scored ? 1 : 0);
  }
  if (!any) out.ids.clear(), out.scored.clear();
}

const json::array* list_in(const json::object& row, const char* name, const std::string& where,
                           std::size_t length) {
  const json::value* value = row.if_contains(name);
  if (!value || value->is_null()) return nullptr;
  if (!value->is_array()) fail(ExitCode::damaged, "{}: the field \"{}\" is not a list", where, name);
  if (length != 0 && value->as_array().size() != length)
    fail(ExitCode::damaged, "{}: \"{}\" has {} entries but \"input_ids\" has {}", where, name,
         value->as_array().size(), length);
  return &value->as_array();
}

std::int64_t whole_number(const json::value& value, const char* name, std::size_t place,
                          const std::string& where) {
  if (!value.is_int64()) fail(ExitCode::damaged, "{}: {}[{}] is not a whole number", where, name, place);
  return value.get_int64();
}

/// input_ids, and labels where −100 means not scored; what attention_mask hides is left out.
void from_tokens(const json::object& row, const std::string& where, std::uint64_t vocabulary, bool all_scored,
                 RowTokens& out) {
  const json::array* ids = list_in(row, "input_ids", where, 0);
  if (!ids) fail(ExitCode::damaged, "{}: the field \"input_ids\" is missing", where);
  const json::array* labels = list_in(row, "labels", where, ids->size());
  const json::array* seen = list_in(row, "attention_mask", where, ids->size());
  for (std::size_t i = 0; i < ids->size(); ++i) {
    const std::int64_t id = whole_number((*ids)[i], "input_ids", i, where);
    if (id < 0 || static_cast<std::uint64_t>(id) >= vocabulary)
      fail(ExitCode::damaged, "{}: input_ids[{}] is {}, and there are {} tokens", where, i, id, vocabulary);
    const std::int64_t label = labels ? whole_number((*labels)[i], "labels", i, where) : id;
    if (label != -100 && label != id)
      fail(ExitCode::damaged, "{}: labels[{}] is {}, neither -100 nor input_ids[{}] = {}", where, i, label, i,
           id);
    if (seen && whole_number((*seen)[i], "attention_mask", i, where) == 0) continue;
    out.ids.push_back(static_cast<std::int32_t>(id));
    out.scored.push_back(all_scored || label != -100 ? 1 : 0);
  }
}

}  // namespace

void tokenise_row(const DataSource& source, const json::object& row, const std::string& where,
                  const Tokenizer& tokenizer, const TextRules& rules, Tokenizer::WordCache& cache,
                  RowTokens& out) {
  out.ids.clear(), out.scored.clear();
  const PromptFormat& format = source.format;
  if (format.kind == PromptFormat::Kind::tokens) {
    const std::uint64_t vocabulary = rules.vocabulary > 0 ? rules.vocabulary : tokenizer.vocabulary_size();
    from_tokens(row, where, vocabulary, format.train_on_inputs, out);
  } else if (format.kind == PromptFormat::Kind::chat) {
    require(source.chat != nullptr, "conversations need a chat template");
    source.chat->tokenise(row, where, tokenizer, cache, out.ids, out.scored);
  } else {
    from_pieces(render(format, row, where), tokenizer, rules.end_token, cache, out);
  }
}

}  // namespace trireme::io
