#include "io/data/token_store.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;
using trireme::testing::message_of;
using trireme::testing::Scratch;
using trireme::testing::write_file;

const fs::path golden = TRIREME_GOLDEN;

class Store : public ::testing::Test {
 protected:
  Store() {
    fs::create_directory(scratch_ / "model");
    fs::copy_file(golden / "tokenizers" / "llama2.json", scratch_ / "model" / "tokenizer.json");
    write_file(scratch_ / "model" / "tokenizer_config.json", R"({"eos_token": "</s>"})");
    write_rows(400);
  }
  void write_rows(int count) {
    std::string rows;
    for (int i = 0; i < count; ++i)
      rows += "{\"text\": \"row " + std::to_string(i * 7919) + " of a small text\"}\n";
    write_file(scratch_ / "rows.jsonl", rows);
  }
  DataSource source() const {
    return {scratch_ / "rows.jsonl", prompt_format_named("completion"), 0, 0, false};
  }
  TextRules rules(int threads = 1) const { return {tokenizer_.id_of("</s>"), 64, TooLong::drop, threads}; }
  std::shared_ptr<const TokenStore> prepare(int threads = 1, const TellProgress& tell = {}) {
    const TellProgress count = [&](const PrepareProgress& progress) {
      last_ = progress;
      if (tell) tell(progress);
    };
    return prepare_store(root_, source(), tokenizer_, rules(threads), scratch_ / "model", count, 2000);
  }
  fs::path folder() const { return root_ / store_key(source(), rules(), scratch_ / "model"); }
  void expect_same(const DocumentSource& store) {
    const Documents wanted = tokenise(source(), tokenizer_, rules());
    ASSERT_EQ(store.size(), wanted.size());
    for (std::uint64_t i = 0; i < wanted.size(); ++i) {
      const DocumentView a = store.document(i), b = wanted.document(i);
      ASSERT_TRUE(std::equal(a.ids.begin(), a.ids.end(), b.ids.begin(), b.ids.end())) << i;
      ASSERT_TRUE(std::equal(a.scored.begin(), a.scored.end(), b.scored.begin(), b.scored.end())) << i;
    }
  }
  Scratch scratch_;
  fs::path root_ = scratch_ / "prepared";
  Tokenizer tokenizer_ = Tokenizer::from_file((golden / "tokenizers" / "llama2.json").string());
  PrepareProgress last_;
};

TEST_F(Store, HoldsWhatTokenisingGivesAndIsUsedAgain) {
  expect_same(*prepare(2));
  EXPECT_GE(last_.parts, 5u);
  EXPECT_EQ(last_.kept_parts, 0u);
  EXPECT_EQ(last_.rows_done, 400u);
  expect_same(*prepare());
  EXPECT_EQ(last_.kept_parts, last_.parts);
}

TEST_F(Store, ATouchedSourceIsUsedAgainAndAChangedOneIsNot) {
  prepare();
  fs::last_write_time(scratch_ / "rows.jsonl", fs::file_time_type::clock::now() + std::chrono::hours(1));
  prepare();
  EXPECT_EQ(last_.kept_parts, last_.parts);
  write_rows(401);
  expect_same(*prepare());
  EXPECT_EQ(last_.kept_parts, 0u);
}

TEST_F(Store, AnotherFormatOrTokenizerIsAnotherStore) {
  const std::string key = store_key(source(), rules(), scratch_ / "model");
  EXPECT_EQ(store_key(source(), rules(7), scratch_ / "model"), key);
  DataSource other = source();
  other.format.field = "body";
  EXPECT_NE(store_key(other, rules(), scratch_ / "model"), key);
  TextRules longer = rules();
  longer.longest = 65;
  EXPECT_NE(store_key(source(), longer, scratch_ / "model"), key);
  write_file(scratch_ / "model" / "tokenizer.json", "{}");
  EXPECT_NE(store_key(source(), rules(), scratch_ / "model"), key);
}

TEST_F(Store, GoesOnWhereItWasKilled) {
  const pid_t child = fork();
  if (child == 0) {
    prepare(1, [](const PrepareProgress& progress) {
      if (progress.rows_done > 150) raise(SIGKILL);
    });
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  // What a writer that was killed leaves behind.
  write_file(folder() / "part-00004.h5.new", "half");
  expect_same(*prepare());
  EXPECT_GE(last_.kept_parts, 2u);
  EXPECT_LT(last_.kept_parts, last_.parts);
}

TEST_F(Store, DamageIsSeen) {
  prepare();
  const fs::path part = folder() / "part-00001.h5";
  std::string bytes = trireme::testing::read_file(part);
  bytes[bytes.size() - 9] = static_cast<char>(bytes[bytes.size() - 9] ^ 1);
  write_file(part, bytes);
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { prepare(); }), HasSubstr("part-00001.h5 is damaged"));
  // A part that is short was never whole: it is written again.
  bytes.resize(bytes.size() / 2);
  write_file(part, bytes);
  expect_same(*prepare());
  EXPECT_EQ(last_.kept_parts + 1, last_.parts);
}

TEST_F(Store, OthersWaitForTheOneThatWrites) {
  std::vector<std::jthread> ranks;
  std::atomic<int> same{0};
  for (int i = 0; i < 3; ++i)
    ranks.emplace_back([&] {
      const auto store = prepare_store(root_, source(), tokenizer_, rules(), scratch_ / "model", {}, 2000);
      same += store->size() == 400 ? 1 : 0;
    });
  ranks.clear();
  EXPECT_EQ(same, 3);
}

TEST_F(Store, IsHdf5) {
  prepare();
  const hid_t file = H5Fopen((folder() / "part-00000.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  const hid_t dataset = H5Dopen2(file, "ids@0", H5P_DEFAULT);
  ASSERT_GE(dataset, 0);
  std::int32_t first[4]{};
  const hsize_t count = 4;
  const hid_t memory = H5Screate_simple(1, &count, nullptr), space = H5Dget_space(dataset);
  const hsize_t begin = 0;
  H5Sselect_hyperslab(space, H5S_SELECT_SET, &begin, nullptr, &count, nullptr);
  ASSERT_GE(H5Dread(dataset, H5T_NATIVE_INT32, memory, space, H5P_DEFAULT, first), 0);
  const Documents wanted = tokenise(source(), tokenizer_, rules());
  EXPECT_TRUE(std::equal(first, first + 4, wanted.ids.begin()));
  H5Sclose(memory), H5Sclose(space), H5Dclose(dataset), H5Fclose(file);
}

TEST_F(Store, ABadRowStopsItAndWhatIsDoneStays) {
  std::ofstream(scratch_ / "rows.jsonl", std::ios::app) << "rubbish\n";
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { prepare(); }), HasSubstr("rows.jsonl:401"));
  EXPECT_TRUE(fs::exists(folder() / "part-00000.json"));
}

}  // namespace
}  // namespace trireme::io
