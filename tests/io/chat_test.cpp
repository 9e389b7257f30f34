#include "io/data/chat.h"

#include <boost/json.hpp>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/data/documents.h"
#include "io/data/tokenizer_config.h"
#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using ::testing::HasSubstr;
using trireme::testing::message_of;
using trireme::testing::read_file;
using trireme::testing::Scratch;
using trireme::testing::write_file;

namespace json = boost::json;

const std::filesystem::path golden = TRIREME_GOLDEN;

std::string text_at(const json::object& object, const char* key, const char* otherwise = "") {
  const json::value* value = object.if_contains(key);
  return value ? std::string(value->as_string()) : otherwise;
}

bool flag_at(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value && value->as_bool();
}

ChatFormat format_of(const json::object& one) {
  ChatFormat format;
  if (flag_at(one, "sharegpt")) format = prompt_format_named("sharegpt").chat;
  format.chat_template = "jinja";
  format.source = read_file(golden / "templates" / text_at(one, "template"));
  if (const json::value* roles = one.if_contains("roles_to_train"))
    format.roles_to_train = json::value_to<std::vector<std::string>>(*roles);
  if (const json::value* tokens = one.if_contains("eot_tokens"))
    format.eot_tokens = json::value_to<std::vector<std::string>>(*tokens);
  const std::string eos = text_at(one, "train_on_eos", "turn");
  format.train_on_eos = eos == "turn"   ? EndTokens::turn
                        : eos == "all"  ? EndTokens::all
                        : eos == "last" ? EndTokens::last
                                        : EndTokens::none;
  format.training_field = text_at(one, "message_field_training");
  format.drop_system_message = flag_at(one, "drop_system_message");
  return format;
}

/// Ids and masks as Axolotl's own chat strategy makes them, with the families' templates.
TEST(Chat, TokensAndMasksAreThoseOfAxolotl) {
  const auto cases = json::parse(read_file(golden / "chats" / "expected.json")).as_array();
  ASSERT_GE(cases.size(), 90u);
  std::size_t compared = 0, scored_tokens = 0;
  for (const auto& item : cases) {
    const auto& one = item.as_object();
    const Scratch folder;
    write_file(
        folder / "tokenizer_config.json",
        json::serialize(json::object{{"bos_token", one.at("bos_token")},
                                     {"eos_token", {{"content", one.at("eos_token")}, {"special", true}}}}));
    const auto tokenizer = Tokenizer::from_file((golden / "tokenizers" / text_at(one, "tokenizer")).string());
    const Chat chat(format_of(one), folder.path(), tokenizer, flag_at(one, "train_on_inputs"));
    const RowFile rows(golden / "chats" / text_at(one, "rows"));
    const auto& documents = one.at("documents").as_array();
    ASSERT_EQ(rows.rows(), documents.size());
    for (std::uint64_t i = 0; i < rows.rows(); ++i) {
      json::object head = one;
      head.erase("documents");
      SCOPED_TRACE(json::serialize(head) + " row " + std::to_string(i));
      std::vector<std::int32_t> ids;
      std::vector<std::uint8_t> scored;
      const auto cache = Tokenizer::make_cache();
      if (documents[i].is_null()) {
        EXPECT_THROW(chat.tokenise(rows.read(i), "row", tokenizer, *cache, ids, scored), Error);
        continue;
      }
      chat.tokenise(rows.read(i), "row", tokenizer, *cache, ids, scored);
      EXPECT_EQ(ids, json::value_to<std::vector<std::int32_t>>(documents[i].at("ids")));
      EXPECT_EQ(scored, json::value_to<std::vector<std::uint8_t>>(documents[i].at("scored")));
      ++compared;
      for (const std::uint8_t is_scored : scored) scored_tokens += is_scored;
    }
  }
  EXPECT_GE(compared, 600u);
  EXPECT_GE(scored_tokens, 5000u);
}

class ChatRows : public ::testing::Test {
 protected:
  ChatRows() { write_file(folder_ / "tokenizer_config.json", R"({"eos_token": "</s>"})"); }
  ChatText render(const std::string& row, ChatFormat format = {.chat_template = "chatml"}) {
    return Chat(format, folder_.path(), tokenizer_, false).render(json::parse(row).as_object(), "rows:3");
  }
  std::string refusal(const std::string& row, const ChatFormat& format = {.chat_template = "chatml"}) {
    return message_of(ExitCode::damaged, [&] { render(row, format); });
  }
  Scratch folder_;
  Tokenizer tokenizer_ = Tokenizer::from_file((golden / "tokenizers" / "llama2.json").string());
};

TEST_F(ChatRows, WhatIsWrongIsNamed) {
  EXPECT_THAT(refusal("{}"), HasSubstr("rows:3: the field \"messages\" is missing"));
  EXPECT_THAT(refusal(R"({"messages": []})"), HasSubstr("rows:3: the field \"messages\" is not a list"));
  EXPECT_THAT(refusal(R"({"messages": [{"role": "user", "content": "a"}, 3]})"),
              HasSubstr("rows:3: message 1 is not an object"));
  EXPECT_THAT(refusal(R"({"messages": [{"from": "user"}]})"), HasSubstr("rows:3: message 0 has no role"));
  EXPECT_THAT(refusal(R"({"messages": [{"role": "user"}]})"),
              HasSubstr("rows:3: the chat template chatml: line"));
  const ChatFormat strict{.chat_template = "jinja", .source = "\n{{ raise_exception('no system here') }}"};
  EXPECT_THAT(refusal(R"({"messages": [{"role": "system", "content": "x"}]})", strict),
              HasSubstr("line 2 of the template: it refuses these messages: no system here"));
}

TEST_F(ChatRows, MessagesMayBeJsonInATextAndContentsLists) {
  const ChatText plain =
      render(R"({"messages": [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "c"}]})");
  EXPECT_EQ(plain.text, "<|im_start|>user\nab<|im_end|>\n<|im_start|>assistant\nc<|im_end|>\n");
  ASSERT_EQ(plain.turns.size(), 1u);
  EXPECT_EQ(plain.text.substr(plain.turns[0].begin, plain.turns[0].end - plain.turns[0].begin), "c");
  EXPECT_EQ(
      render(
          R"({"messages": "[{\"role\": \"user\", \"content\": \"ab\"}, {\"role\": \"assistant\", \"content\": \"c\"}]"})")
          .text,
      plain.text);
  EXPECT_EQ(
      render(
          R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, {"role": "assistant", "content": "c"}]})")
          .text,
      plain.text);
}

TEST_F(ChatRows, TemplatesComeFromTheFolder) {
  const ChatFormat own;
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { render("{}", own); }),
              HasSubstr("has no chat template; set chat_template to chatml"));
  write_file(
      folder_ / "tokenizer_config.json",
      R"({"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]})");
  EXPECT_EQ(chat_template_source(own, folder_.path()), "d");
  write_file(folder_ / "chat_template.jinja", "j");
  EXPECT_EQ(chat_template_source(own, folder_.path()), "j");
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { render("{}", {.chat_template = "chatlm"}); }),
              HasSubstr("there is no \"chatlm\""));
}

TEST_F(ChatRows, TemplatesAreToldTheDayOfTheJob) {
  ChatFormat dated{.chat_template = "jinja",
                   .source = "{{ strftime_now('%d %b %Y') }}|{{ messages[0]['content'] }}"};
  const std::string row =
      R"({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]})";
  EXPECT_EQ(render(row, dated).text, "26 Jul 2024|x");
  dated.date = "2026-11-21";
  EXPECT_EQ(render(row, dated).text, "21 Nov 2026|x");
  for (const char* wrong : {"2026-02-30", "yesterday", "2026-11-21x", ""}) {
    dated.date = wrong;
    EXPECT_THAT(message_of(ExitCode::configuration, [&] { render(row, dated); }),
                HasSubstr("must be today or a day like"));
  }
}

TEST_F(ChatRows, TokensThatAreThereAlready) {
  const auto path = folder_ / "rows.jsonl";
  const auto tokenised = [&](const std::string& row) {
    write_file(path, row + "\n");
    PromptFormat format;
    format.kind = PromptFormat::Kind::tokens;
    return tokenise({path, format, 0, 0, false}, tokenizer_, {2, 8, TooLong::drop, 1, 300});
  };
  const Documents documents = tokenised(
      R"({"input_ids": [1, 299, 5, 0], "labels": [-100, 299, -100, -100], "attention_mask": [1, 1, 1, 0]})");
  EXPECT_EQ(documents.ids, (std::vector<std::int32_t>{1, 299, 5}));
  EXPECT_EQ(documents.scored, (std::vector<std::uint8_t>{0, 1, 0}));
  EXPECT_EQ(tokenised(R"({"input_ids": [1, 2]})").scored, (std::vector<std::uint8_t>{1, 1}));
  const auto refused = [&](const std::string& row) {
    return message_of(ExitCode::damaged, [&] { tokenised(row); });
  };
  EXPECT_THAT(refused(R"({"ids": [1]})"), HasSubstr("\"input_ids\" is missing"));
  EXPECT_THAT(refused(R"({"input_ids": [300]})"), HasSubstr("input_ids[0] is 300, and there are 300 tokens"));
  EXPECT_THAT(refused(R"({"input_ids": [1, 2], "labels": [1]})"),
              HasSubstr("\"labels\" has 1 entries but \"input_ids\" has 2"));
  EXPECT_THAT(refused(R"({"input_ids": [1], "labels": [2]})"), HasSubstr("neither -100 nor"));
  EXPECT_THAT(refused(R"({"input_ids": [1.5]})"), HasSubstr("input_ids[0] is not a whole number"));
}

}  // namespace
}  // namespace trireme::io
