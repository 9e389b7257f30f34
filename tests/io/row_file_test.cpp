#include "io/data/row_file.h"

#include <boost/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using trireme::testing::message_of;
using trireme::testing::Scratch;
using trireme::testing::write_file;

class RowFiles : public ::testing::Test {
 protected:
  RowFile file(const std::string& name, const std::string& bytes, RowKind kind = RowKind::automatic) {
    write_file(scratch_ / name, bytes);
    return RowFile(scratch_ / name, kind);
  }
  std::vector<std::string> rows(const std::string& name, const std::string& bytes,
                                RowKind kind = RowKind::automatic) {
    const RowFile all = file(name, bytes, kind);
    std::vector<std::string> result;
    for (std::uint64_t i = 0; i < all.rows(); ++i) result.push_back(boost::json::serialize(all.read(i)));
    return result;
  }
  Scratch scratch_;
};

TEST_F(RowFiles, AnArrayOfObjects) {
  const std::string text = "\n[ {\"a\": \"]},{\\\"\\\\\"},\n\n {\"b\":\n [1, {\"c\": []}]} ]\n\n";
  EXPECT_THAT(rows("a.json", text), ElementsAre(R"({"a":"]},{\"\\"})", R"({"b":[1,{"c":[]}]})"));
  EXPECT_THAT(file("a.json", text).where(1), HasSubstr("a.json:4"));
  EXPECT_THAT(rows("a.json", "[]"), ElementsAre());
  EXPECT_THAT(rows("a.json", "{\"a\":1}\n{\"a\":2}\n"), ElementsAre(R"({"a":1})", R"({"a":2})"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { file("a.json", "[{\"a\": 1}, {"); }),
              HasSubstr("does not end"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { file("a.json", "[{}]\n x"); }), HasSubstr("a.json:2"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { rows("a.json", "[{},\n3]"); }),
              HasSubstr("a.json:2: is not a JSON object"));
}

TEST_F(RowFiles, RecordsOfCsv) {
  EXPECT_THAT(rows("a.csv", "\xEF\xBB\xBFq,a\r\n\"x,\"\"1\"\"\ny\",2\r\n\n,\n"),
              ElementsAre(R"({"q":"x,\"1\"\ny","a":"2"})", R"({"q":"","a":""})"));
  EXPECT_THAT(rows("a.tsv", "q\ta\n1,5\t2"), ElementsAre(R"({"q":"1,5","a":"2"})"));
  EXPECT_THAT(rows("a.csv", "q,a\n"), ElementsAre());
  EXPECT_THAT(file("a.csv", "q,a\n\"1\n2\",3\n4,5\n").where(1), HasSubstr("a.csv:4"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { rows("a.csv", "q,a\n1,2,3\n"); }),
              HasSubstr("a.csv:2: has 3 fields"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { rows("a.csv", "q,a\n1,\"2\n"); }), HasSubstr("not closed"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { rows("a.csv", "q,a\n1,2\"3\"\n"); }),
              HasSubstr("a.csv:2: field 2 has a quote"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { rows("a.csv", "q,q\n1,2\n"); }),
              HasSubstr("two fields are named"));
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { rows("a.csv", "q\n\xff\n"); }),
              HasSubstr("a.csv:2: byte 0"));
}

TEST_F(RowFiles, PlainText) {
  const std::string text = "one\r\n two\n\n  \nthree\nfour";
  EXPECT_THAT(rows("a.txt", text), ElementsAre(R"({"text":"one"})", R"({"text":"two"})",
                                               R"({"text":"three"})", R"({"text":"four"})"));
  EXPECT_THAT(rows("a.txt", text, RowKind::paragraphs),
              ElementsAre(R"({"text":"one\r\n two"})", R"({"text":"three\nfour"})"));
  EXPECT_THAT(rows("a.txt", text, RowKind::document),
              ElementsAre(R"({"text":"one\r\n two\n\n  \nthree\nfour"})"));
  EXPECT_THAT(rows("a.txt", " \n\n", RowKind::document), ElementsAre());
}

TEST_F(RowFiles, WhatIsNotReadIsSaid) {
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { file("a.parquet", "PAR1"); }),
              HasSubstr(".parquet files are not read"));
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { RowFile(scratch_.path()); }),
              HasSubstr("is a folder"));
}

}  // namespace
}  // namespace trireme::io
