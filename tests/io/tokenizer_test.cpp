#include "io/tokenizer/tokenizer.h"

#include <boost/crc.hpp>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "core/error.h"
#include "io/tokenizer/encode_batch.h"
#include "io/tokenizer/unicode.h"
#include "tests/io/hostile_text.h"

namespace trireme::io {
namespace {

namespace json = boost::json;

const std::string folder = std::string(TRIREME_GOLDEN_DIR) + "/tokenizers/";

json::object digests() {
  std::ifstream file(folder + "digests.json");
  return json::parse(std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>()))
      .as_object();
}

class TokenizerGolden : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, GivesTheLibrarysIdsAndTextsOverHostileText) {
  const Tokenizer tokenizer = Tokenizer::from_file(folder + GetParam() + ".json");
  const json::object all = digests();
  const json::object& expected = all.at(GetParam()).as_object();
  const auto cache = Tokenizer::make_cache();
  for (const tests::TextGroup& group : tests::hostile_text()) {
    std::size_t count = 0;
    boost::crc_32_type ids, decoded;
    group.each([&](const std::string& text) {
      std::vector<std::int32_t> own;
      for (const Token& token : tokenizer.encode(text, true, *cache)) own.push_back(token.id);
      count += own.size();
      ids.process_bytes(own.data(), own.size() * sizeof(std::int32_t));
      const std::string back = tokenizer.decode(own);
      decoded.process_bytes(back.data(), back.size());
    });
    const json::object& digest = expected.at(group.name).as_object();
    EXPECT_EQ(count, digest.at("tokens").to_number<std::size_t>()) << group.name;
    EXPECT_EQ(ids.checksum(), digest.at("ids").to_number<std::uint32_t>()) << group.name;
    EXPECT_EQ(decoded.checksum(), digest.at("decoded").to_number<std::uint32_t>()) << group.name;
  }
}

TEST_P(TokenizerGolden, NamesTheBytesThatATokenStandsFor) {
  const Tokenizer tokenizer = Tokenizer::from_file(folder + GetParam() + ".json");
  const json::object all = digests();
  const json::object& expected = all.at(GetParam()).at("offsets").as_object();
  const std::string text = "Hello  world's caf\u00e9 \U0001f600\n12345 <s>x";
  const std::vector<Token> tokens = tokenizer.encode(text);
  const auto ids = json::value_to<std::vector<std::int32_t>>(expected.at("ids"));
  const auto offsets = json::value_to<std::vector<std::uint32_t>>(expected.at("offsets"));
  ASSERT_EQ(tokens.size(), ids.size());
  // The library widens a part of a character to the whole of it.
  const auto character_start = [&](std::size_t at) {
    while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) --at;
    return at;
  };
  const auto character_end = [&](std::size_t at) {
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) ++at;
    return at;
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_EQ(tokens[i].id, ids[i]);
    EXPECT_EQ(character_start(tokens[i].begin), offsets[2 * i]) << "token " << i;
    EXPECT_EQ(character_end(tokens[i].end), offsets[2 * i + 1]) << "token " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerGolden,
                         testing::Values("gpt2", "gpt2-prefix", "llama3", "qwen2", "o200k", "llama2",
                                         "mistral"),
                         [](const auto& kind) {
                           std::string name = kind.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(Tokenizer, BatchesGiveTheTokensOfTheirTextsOnAnyNumberOfThreads) {
  const Tokenizer tokenizer = Tokenizer::from_file(folder + "llama3.json");
  std::vector<std::string> texts;
  for (const tests::TextGroup& group : tests::hostile_text())
    group.each([&](const std::string& text) {
      if (texts.size() < 2000 && text.size() < 5000) texts.push_back(text);
    });
  const auto one = encode_batch(tokenizer, texts, true, 1), three = encode_batch(tokenizer, texts, true, 3);
  ASSERT_EQ(one.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<Token> alone = tokenizer.encode(texts[i]);
    for (const auto* batch : {&one[i], &three[i]}) {
      ASSERT_EQ(batch->size(), alone.size());
      for (std::size_t t = 0; t < alone.size(); ++t) {
        EXPECT_EQ((*batch)[t].id, alone[t].id);
        EXPECT_EQ((*batch)[t].begin, alone[t].begin);
        EXPECT_EQ((*batch)[t].end, alone[t].end);
      }
    }
  }
  texts[7] = "\xff", texts[3] = "a\xc3";
  EXPECT_THROW(encode_batch(tokenizer, texts, true, 3), Error);
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8AndSaysWhere) {
  const Tokenizer tokenizer = Tokenizer::from_file(folder + "gpt2.json");
  try {
    tokenizer.encode("abc\xff");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("byte 3"), std::string::npos);
  }
}

TEST(Unicode, ReplacesWhatIsInvalidAsTheReferencesDo) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(unicode::replace_invalid("a\xf0\x9f\x98z"), "a" + bad + "z");  // a cut-off sequence is one part
  EXPECT_EQ(unicode::replace_invalid("\xed\xa0\x80"), bad + bad + bad);    // a surrogate is three
  EXPECT_EQ(unicode::replace_invalid("\xc0\xaf"), bad + bad);              // overlong
  EXPECT_EQ(unicode::replace_invalid("\xf5\x80"), bad + bad);              // beyond the last plane
  EXPECT_EQ(unicode::replace_invalid("\xe2\x82"), bad);                    // the end comes too soon
  EXPECT_EQ(unicode::replace_invalid("\u00e9\U0001f600"), "\u00e9\U0001f600");
}

TEST(Tokenizer, RefusesWhatItDoesNotKnowInOneSentence) {
  const json::value good =
      json::parse(R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})");
  EXPECT_EQ(Tokenizer(good).encode("ab").size(), 1u);
  const std::pair<const char*, const char*> broken[] = {
      {R"({"model": {"type": "WordPiece", "vocab": {}, "merges": []}})", "WordPiece"},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}})", "merge 0"},
      {R"({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}})", "out of range"},
      {R"({"normalizer": {"type": "Precompiled"}, "model": {"type": "BPE", "vocab": {}, "merges": []}})",
       "Precompiled"},
      {R"({"pre_tokenizer": {"type": "Bert"}, "model": {"type": "BPE", "vocab": {}, "merges": []}})", "Bert"},
      {R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}, "model": {"type": "BPE", "vocab": {}, "merges": []}})",
       "regular expression"},
      {R"({"decoder": {"type": "CTC"}, "model": {"type": "BPE", "vocab": {}, "merges": []}})", "CTC"},
      {R"({"post_processor": {"type": "Roberta"}, "model": {"type": "BPE", "vocab": {}, "merges": []}})",
       "Roberta"},
  };
  for (const auto& [text, named] : broken) {
    try {
      Tokenizer made{json::parse(text)};
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
      EXPECT_EQ(error.code(), ExitCode::damaged);
    }
  }
}

}  // namespace
}  // namespace trireme::io
