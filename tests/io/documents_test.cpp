#include "io/data/documents.h"

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "io/data/row_file.h"
#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using trireme::testing::message_of;
using trireme::testing::Scratch;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path golden = TRIREME_GOLDEN;

std::filesystem::path written(const std::filesystem::path& folder, const std::string& text) {
  std::ofstream(folder / "rows.jsonl", std::ios::binary) << text;
  return folder / "rows.jsonl";
}

TEST(RowFile, RowsWhateverTheLineEnds) {
  const Scratch scratch;
  const RowFile lines(written(scratch.path(), "\xEF\xBB\xBF{\"a\":1}\r\n\n  \n{\"a\":2}\n{\"a\":\"\\n\"}"));
  ASSERT_EQ(lines.rows(), 3u);
  EXPECT_EQ(lines.read(0).at("a"), 1);
  EXPECT_EQ(lines.read(1).at("a"), 2);
  EXPECT_EQ(lines.read(2).at("a"), "\n");
  EXPECT_THAT(lines.where(2), HasSubstr("rows.jsonl:5"));
  EXPECT_EQ(RowFile(written(scratch.path(), "")).rows(), 0u);
}

TEST(RowFile, ABadRowIsNamedByFileAndLine) {
  const Scratch scratch;
  const RowFile lines(written(scratch.path(), "{}\n[1]\n{\"a\":\n{\"a\":1,\"a\":2}\n"));
  for (const std::uint64_t row : {1u, 2u, 3u})
    EXPECT_THAT(message_of(ExitCode::damaged, [&] { lines.read(row); }),
                HasSubstr("rows.jsonl:" + std::to_string(row + 1)));
}

TEST(RowFile, ALineLongerThanTheReadingBlock) {
  const Scratch scratch;
  const std::string longest(9 << 20, 'x');
  const RowFile lines(written(scratch.path(), "{\"a\":\"" + longest + "\"}\n{\"a\":\"y\"}\n"));
  ASSERT_EQ(lines.rows(), 2u);
  EXPECT_EQ(lines.read(0).at("a").as_string(), longest);
  EXPECT_EQ(lines.read(1).at("a"), "y");
}

std::vector<std::string> texts(const PromptFormat& format, const std::string& row) {
  std::vector<std::string> result;
  for (const PromptPiece& piece : render(format, boost::json::parse(row).as_object(), "row"))
    result.push_back(piece.text);
  return result;
}

TEST(PromptFormat, ValuesKeepTheirBraces) {
  PromptFormat format = prompt_format_named("alpaca");
  format.format = "{instruction}|{input}|{{x}}|{other}";
  EXPECT_THAT(texts(format, R"({"instruction":"{input}","input":"{}","output":"o"})"),
              ElementsAre("{input}|{}|{x}|{other}", "o"));
}

TEST(PromptFormat, WhatIsMissingIsNamed) {
  const PromptFormat alpaca = prompt_format_named("alpaca"), segments = prompt_format_named("input_output");
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { texts(alpaca, R"({"instruction":"a"})"); }),
              HasSubstr("\"output\" is missing"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { texts(alpaca, R"({"instruction":3,"output":""})"); }),
              HasSubstr("not a text"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { texts(segments, R"({"segments":[{"text":"a"}]})"); }),
              HasSubstr("segment 0"));
  EXPECT_THAT(message_of(ExitCode::usage, [] { prompt_format_named("alpacca"); }), HasSubstr("known are"));
}

/// Ids and what is scored, as tests/golden/make_prompts.py got them from the tokenizers library by the rules
/// of Axolotl.
TEST(Documents, AreThoseOfTheReference) {
  std::ifstream file(golden / "prompts" / "expected.json");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto cases = boost::json::parse(text).as_array();
  ASSERT_GE(cases.size(), 6u);
  for (const auto& one : cases) {
    const auto& object = one.as_object();
    const std::string tokenizer_name(object.at("tokenizer").as_string());
    const auto tokenizer = Tokenizer::from_file((golden / "tokenizers" / tokenizer_name).string());
    PromptFormat format;
    const auto& type = object.at("type");
    if (type.is_string()) {
      format = prompt_format_named(type.as_string());
    } else {
      format.kind = PromptFormat::Kind::instruction;
      const auto text_at = [&](const char* key) { return std::string(type.as_object().at(key).as_string()); };
      format.system_prompt = text_at("system_prompt"), format.format = text_at("format");
      format.no_input_format = text_at("no_input_format"), format.field_output = text_at("field_output");
    }
    format.train_on_inputs = object.at("train_on_inputs").as_bool();
    for (const int threads : {1, 3}) {
      const Documents documents = tokenise(
          {golden / "prompts" / std::string(object.at("rows").as_string()), format, 0, 0, false}, tokenizer,
          {tokenizer.id_of(std::string(object.at("end_token").as_string())), 1 << 20, TooLong::drop,
           threads});
      const auto& expected = object.at("documents").as_array();
      ASSERT_EQ(documents.size(), expected.size()) << tokenizer_name;
      for (std::uint64_t i = 0; i < documents.size(); ++i) {
        boost::json::array ids, scored;
        for (std::uint64_t at = documents.begin(i); at < documents.ends[i]; ++at)
          ids.push_back(documents.ids[at]), scored.push_back(documents.scored[at]);
        EXPECT_EQ(ids, expected[i].at("ids")) << tokenizer_name << " document " << i;
        EXPECT_EQ(scored, expected[i].at("scored")) << tokenizer_name << " document " << i;
      }
    }
  }
}

TEST(Documents, LongOnesAreSplitDroppedOrCut) {
  const Scratch scratch;
  const auto tokenizer = Tokenizer::from_file((golden / "tokenizers" / "llama2.json").string());
  const auto path =
      written(scratch.path(), R"({"text":"one two three four five six","instruction":"one two three",)"
                              R"("output":"four five six"})"
                              "\n");
  const std::int32_t end = tokenizer.id_of("</s>");
  const auto lengths = [&](const char* type, TooLong choice) {
    const Documents documents =
        tokenise({path, prompt_format_named(type), 0, 0, false}, tokenizer, {end, 8, choice, 1});
    std::vector<std::uint64_t> result{documents.skipped_rows};
    for (std::uint64_t i = 0; i < documents.size(); ++i) result.push_back(documents.length(i));
    return result;
  };
  const auto completion = lengths("completion", TooLong::drop);
  EXPECT_GE(completion.size(), 3u);
  EXPECT_EQ(completion[0], 0u);
  EXPECT_THAT(lengths("alpaca", TooLong::drop), ElementsAre(1));
  EXPECT_THAT(lengths("alpaca", TooLong::truncate), ElementsAre(0, 8));
  EXPECT_GE(lengths("alpaca", TooLong::split).size(), 5u);
}

TEST(Documents, BadRowsStopOrAreCountedAsAsked) {
  const Scratch scratch;
  const auto tokenizer = Tokenizer::from_file((golden / "tokenizers" / "llama2.json").string());
  const auto path = written(scratch.path(), "{\"text\":\"a\"}\n{\"txt\":\"b\"}\nrubbish\n{\"text\":\"c\"}\n");
  const TextRules rules{tokenizer.id_of("</s>"), 8, TooLong::drop, 2};
  const PromptFormat format = prompt_format_named("completion");
  EXPECT_THAT(message_of(ExitCode::damaged,
                         [&] {
                           tokenise({path, format, 0, 0, false}, tokenizer, rules);
                         }),
              HasSubstr("rows.jsonl:2"));
  const Documents documents = tokenise({path, format, 0, 0, true}, tokenizer, rules);
  EXPECT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents.skipped_rows, 2u);
  EXPECT_EQ(tokenise({path, format, 3, 4, false}, tokenizer, rules).size(), 1u);
}

}  // namespace
}  // namespace trireme::io
