#include "io/data/chat.h"

#include <algorithm>
#include <cstdio>

#include "core/error.h"
#include "io/data/conversation.h"
#include "io/data/tokenizer_config.h"

namespace trireme::io {
namespace {

/// Noncharacters of Unicode, so no text is expected to hold them.
constexpr std::string_view content_begins = "\uFDD0", content_ends = "\uFDD1", placeholder = "\uFDD2";

std::chrono::sys_seconds start_of_day(const std::string& date) {
  int year = 0, month = 0, day = 0, length = 0;
  const bool read = std::sscanf(date.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &length) == 3;
  const std::chrono::year_month_day parsed{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
  if (!read || static_cast<std::size_t>(length) != date.size() || !parsed.ok())
    fail(ExitCode::configuration, "chat_template_date must be today or a day like 2024-07-26, not \"{}\"",
         date.substr(0, 40));
  return std::chrono::sys_days{parsed};
}

std::size_t common_begin(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())),
                    b.begin())
          .first -
      a.begin());
}

std::size_t common_end(std::string_view a, std::string_view b, std::size_t most) {
  std::size_t count = 0;
  while (count < most && a[a.size() - 1 - count] == b[b.size() - 1 - count]) ++count;
  return count;
}

/// Whole characters: a turn neither begins nor ends inside of one.
std::size_t character_begin(std::string_view text, std::size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) --at;
  return at;
}
std::size_t character_end(std::string_view text, std::size_t at) {
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) ++at;
  return at;
}

std::vector<std::int32_t> ids_of(const std::vector<std::string>& tokens, const Tokenizer& tokenizer) {
  std::vector<std::int32_t> ids;
  for (const std::string& token : tokens) {
    ids.push_back(tokenizer.id_of(token));
    if (ids.back() < 0)
      fail(ExitCode::configuration, "eot_tokens: the tokenizer has no token \"{}\"", token.substr(0, 80));
  }
  return ids;
}

}  // namespace

Chat::Chat(const ChatFormat& format, const std::filesystem::path& folder, const Tokenizer& tokenizer,
           bool train_on_inputs)
    : format_(format),
      train_on_inputs_(train_on_inputs),
      day_(start_of_day(format.date)),
      template_(chat_template_source(format, folder), "the chat template " + format.chat_template) {
  const TokenizerConfig config(folder);
  for (const auto& [name, token] : config.special_tokens()) tokens_.emplace_back(name, jinja::Value(token));
  if (const auto end = config.special_token("eos_token")) end_token_ = tokenizer.id_of(*end);
  turn_end_tokens_ = ids_of(format.eot_tokens, tokenizer);
  if (turn_end_tokens_.empty() && end_token_ >= 0) turn_end_tokens_ = {end_token_};
}

std::string Chat::text_of(const Conversation& conversation, const std::vector<jinja::Value>& messages) const {
  auto context = tokens_;
  context.emplace_back("messages", jinja::make_sequence(messages));
  context.emplace_back("tools", conversation.tools);
  context.emplace_back("documents", jinja::Value());
  context.emplace_back("add_generation_prompt", false);
  try {
    return template_.render(jinja::make_mapping(std::move(context)), day_);
  } catch (const Error& error) {
    fail(ExitCode::damaged, "{}: {}", conversation.where, error.what());
  }
}

/// One rendering with marks around the contents tells where all of them are, where the template takes
/// contents as they are. False where it does not: it strips, splits or looks into them.
bool Chat::mark_contents(const Conversation& conversation, ChatText& chat) const {
  std::vector<jinja::Value> messages;
  for (const Message& message : conversation.messages) {
    if (!message.wanted) {
      messages.push_back(message.value);
      continue;
    }
    if (!message.is_plain) return false;
    messages.push_back(
        message.with_content(std::string(content_begins) + message.content + std::string(content_ends)));
  }
  if (chat.text.find(content_begins) != std::string::npos ||
      chat.text.find(content_ends) != std::string::npos)
    return false;
  std::string marked;
  try {
    marked = text_of(conversation, messages);
  } catch (const Error&) {
    return false;
  }
  std::string plain;
  std::vector<ChatText::Turn> turns;
  auto message = conversation.messages.begin();
  for (std::size_t at = 0; at < marked.size();) {
    const std::size_t mark = marked.find(content_begins, at);
    plain += std::string_view(marked).substr(at, mark - at);
    if (mark == std::string::npos) break;
    const std::size_t first = mark + content_begins.size(), last = marked.find(content_ends, first);
    if (last == std::string::npos) return false;
    while (message != conversation.messages.end() && !message->wanted) ++message;
    if (message == conversation.messages.end()) return false;
    // Of a turn that says nothing there is nothing to score, its end token included, as in Axolotl.
    if (last > first) turns.push_back({plain.size(), plain.size() + last - first, message->scored});
    ++message;
    plain += std::string_view(marked).substr(first, last - first);
    at = last + content_ends.size();
  }
  while (message != conversation.messages.end() && !message->wanted) ++message;
  if (message != conversation.messages.end() || plain != chat.text) return false;
  chat.turns = std::move(turns);
  return true;
}

/// Each turn against a rendering in which it says something else: what differs is the turn.
void Chat::compare_turns(const Conversation& conversation, ChatText& chat) const {
  std::vector<jinja::Value> messages;
  for (const Message& message : conversation.messages) messages.push_back(message.value);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = conversation.messages[i];
    if (!message.wanted) continue;
    const jinja::Value real =
        std::exchange(messages[i], message.with_content_alone(std::string(placeholder)));
    const std::string other = text_of(conversation, messages);
    messages[i] = real;
    const std::size_t begin = common_begin(chat.text, other);
    const std::size_t most = std::min(chat.text.size(), other.size()) - begin;
    const std::size_t end = chat.text.size() - common_end(chat.text, other, most);
    if (begin < end)
      chat.turns.push_back(
          {character_begin(chat.text, begin), character_end(chat.text, end), message.scored});
  }
}

ChatText Chat::render(const boost::json::object& row, const std::string& where) const {
  const Conversation conversation = read_conversation(format_, train_on_inputs_, row, where);
  std::vector<jinja::Value> messages;
  for (const Message& message : conversation.messages) messages.push_back(message.value);
  ChatText chat{text_of(conversation, messages), {}};
  if (!mark_contents(conversation, chat)) compare_turns(conversation, chat);
  return chat;
}

/// An end token belongs to a turn where at most three tokens of the template lie between them.
void Chat::score_end_tokens(const std::vector<ChatText::Turn>& turns,
                            const std::vector<std::size_t>& turn_ends, const std::vector<std::int32_t>& ids,
                            std::vector<std::uint8_t>& scored) const {
  constexpr std::size_t most_between = 3;
  for (const std::vector<std::int32_t>& ends : {turn_end_tokens_, std::vector<std::int32_t>{end_token_}}) {
    std::size_t last = ids.size();
    for (std::size_t i = 0; i < turns.size(); ++i) {
      const auto first = ids.begin() + static_cast<std::ptrdiff_t>(turn_ends[i]);
      const auto found = std::find_first_of(first, ids.end(), ends.begin(), ends.end());
      if (found == ids.end() || static_cast<std::size_t>(found - first) > most_between) continue;
      last = static_cast<std::size_t>(found - ids.begin());
      if (format_.train_on_eos == EndTokens::all ||
          (format_.train_on_eos == EndTokens::turn && turns[i].scored))
        scored[last] = 1;
    }
    if (format_.train_on_eos == EndTokens::last && last < ids.size()) scored[last] = 1;
  }
}

void Chat::tokenise(const boost::json::object& row, const std::string& where, const Tokenizer& tokenizer,
                    Tokenizer::WordCache& cache, std::vector<std::int32_t>& ids,
                    std::vector<std::uint8_t>& scored) const {
  const ChatText chat = render(row, where);
  const std::vector<Token> tokens = tokenizer.encode(chat.text, false, cache);
  ids.clear();
  for (const Token& token : tokens) ids.push_back(token.id);
  scored.assign(ids.size(), 0);
  std::vector<std::size_t> turn_ends;
  for (const ChatText::Turn& turn : chat.turns) {
    const auto first = std::partition_point(tokens.begin(), tokens.end(),
                                            [&](const Token& token) { return token.end <= turn.begin; });
    const auto last =
        std::partition_point(first, tokens.end(), [&](const Token& token) { return token.begin < turn.end; });
    turn_ends.push_back(static_cast<std::size_t>(last - tokens.begin()));
    if (turn.scored)
      std::fill(scored.begin() + (first - tokens.begin()), scored.begin() + (last - tokens.begin()),
                std::uint8_t{1});
  }
  score_end_tokens(chat.turns, turn_ends, ids, scored);
}

}  // namespace trireme::io
