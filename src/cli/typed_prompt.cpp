#include "cli/typed_prompt.h"

#include <boost/json/object.hpp>

#include "cli/text_sources.h"
#include "core/error.h"
#include "io/data/row_tokens.h"

namespace trireme::cli {
namespace {

namespace json = boost::json;

/// A row of the dataset's form, whose answer is what the model is to write.
json::object row_of(const TypedPrompt& prompt, const jobs::DataSet& set, const io::PromptFormat& format) {
  constexpr const char* answer = "?";
  json::object row;
  if (format.kind == io::PromptFormat::Kind::instruction) {
    row[format.field_instruction] = prompt.instruction;
    row[format.field_output] = answer;
    if (!prompt.input.empty()) row[format.field_input] = prompt.input;
    return row;
  }
  const bool sharegpt = set.type == "sharegpt";
  const auto turn = [&](const char* role, const std::string& content) {
    return json::object{{format.chat.role_field, role}, {format.chat.content_field, content}};
  };
  const std::string asked =
      prompt.input.empty() ? prompt.instruction : prompt.instruction + "\n" + prompt.input;
  row[format.chat.field_messages] =
      json::array{turn(sharegpt ? "human" : "user", asked), turn(sharegpt ? "gpt" : "assistant", answer)};
  return row;
}

}  // namespace

std::vector<std::int32_t> tokens_of(const TypedPrompt& prompt, const jobs::JobSpec& job,
                                    const io::Tokenizer& tokenizer) {
  if (prompt.text.empty() == prompt.instruction.empty())
    fail(ExitCode::usage, "give either --prompt or --instruction");
  std::vector<std::int32_t> ids;
  if (!prompt.text.empty()) {
    for (const io::Token& token : tokenizer.encode(prompt.text)) ids.push_back(token.id);
    return ids;
  }
  jobs::JobSpec as_trained = job;
  as_trained.train_on_inputs = false;
  const TextSources text = open_text_sources(as_trained);
  const io::DataSource& source = text.sources.front();
  using Kind = io::PromptFormat::Kind;
  if (source.format.kind != Kind::instruction && source.format.kind != Kind::chat)
    fail(ExitCode::usage,
         "--instruction needs a job whose first dataset has instructions or chats, not type {}; use --prompt",
         job.datasets.front().type);
  const auto cache = io::Tokenizer::make_cache();
  io::RowTokens tokens;
  io::tokenise_row(source, row_of(prompt, job.datasets.front(), source.format), "--instruction", tokenizer,
                   text.rules, *cache, tokens);
  for (std::size_t i = 0; i < tokens.ids.size() && !tokens.scored[i]; ++i) ids.push_back(tokens.ids[i]);
  return ids;
}

}  // namespace trireme::cli
