#include "io/weight_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/safetensors_writer.h"
#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using ::testing::HasSubstr;
using trireme::testing::message_of;
using trireme::testing::Scratch;
using trireme::testing::write_file;

void write_tensor(const std::filesystem::path& path, const std::string& name, float value) {
  SafetensorsWriter writer(path, {{name, DType::f32, {2}}});
  const std::vector<float> values{value, value + 1};
  writer.write(name, 0, std::as_bytes(std::span(values)));
  writer.commit();
}

float first_value(const WeightFiles& files, const std::string& name) {
  float value = 0;
  files.read_as(name, 0, DType::f32, std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

const char* both =
    R"({"metadata":{"total_size":16},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})";

TEST(WeightFiles, ReadsShardsByTheIndex) {
  Scratch scratch;
  write_tensor(scratch / "m-1.safetensors", "a", 3);
  write_tensor(scratch / "m-2.safetensors", "b", 5);
  write_file(scratch / "model.safetensors.index.json", both);
  const WeightFiles files(scratch.path());
  EXPECT_EQ(files.tensors().size(), 2u);
  EXPECT_EQ(first_value(files, "a"), 3);
  EXPECT_EQ(first_value(files, "b"), 5);
  EXPECT_EQ(files.bytes(), 16u);
  EXPECT_EQ(files.find("c"), nullptr);
}

TEST(WeightFiles, ThreadsShareTheSlicesOfSeveralTensors) {
  Scratch scratch;
  constexpr std::int64_t elements = 3'000'001;
  SafetensorsWriter writer(scratch / "model.safetensors",
                           {{"a", DType::f32, {elements}}, {"b", DType::f32, {7}}});
  std::vector<float> values(elements);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 8191);
  writer.write("a", 0, std::as_bytes(std::span(values)));
  writer.write("b", 0, std::as_bytes(std::span(values).first(7)));
  writer.commit();
  const WeightFiles files(scratch.path());
  const auto read = [&](int threads) {
    std::vector<float> a(values.size() - 5), b(7);
    const std::vector<WeightSlice> slices{{"a", 5, DType::f32, std::as_writable_bytes(std::span(a))},
                                          {"b", 0, DType::f32, std::as_writable_bytes(std::span(b))}};
    files.read(slices, threads);
    EXPECT_TRUE(std::equal(a.begin(), a.end(), values.begin() + 5));
    EXPECT_TRUE(std::equal(b.begin(), b.end(), values.begin()));
  };
  read(1), read(3);
  std::filesystem::resize_file(scratch / "model.safetensors", 6'000'000);
  EXPECT_THAT(message_of(ExitCode::damaged, [&] { read(3); }), HasSubstr("too early"));
}

TEST(WeightFiles, ReadsASingleFile) {
  Scratch scratch;
  write_tensor(scratch / "model.safetensors", "a", 3);
  EXPECT_EQ(first_value(WeightFiles(scratch.path()), "a"), 3);
}

TEST(WeightFiles, SaysWhatIsWrong) {
  Scratch scratch;
  const auto opening = [&] { WeightFiles files(scratch.path()); };
  EXPECT_THAT(message_of(ExitCode::configuration, opening), HasSubstr("neither model.safetensors nor"));
  const auto index = scratch / "model.safetensors.index.json";
  write_tensor(scratch / "m-1.safetensors", "a", 3);
  write_file(index, both);
  EXPECT_THAT(message_of(ExitCode::configuration, opening), HasSubstr("m-2.safetensors"));
  write_tensor(scratch / "m-2.safetensors", "c", 5);
  EXPECT_THAT(message_of(ExitCode::damaged, opening), HasSubstr("tensor b is not in m-2.safetensors"));
  write_tensor(scratch / "m-2.safetensors", "a", 5);
  EXPECT_THAT(message_of(ExitCode::damaged, opening), HasSubstr("tensor a is also in m-1.safetensors"));
  write_file(index, R"({"weight_map":{"a":"../m-1.safetensors"}})");
  EXPECT_THAT(message_of(ExitCode::damaged, opening), HasSubstr("not the name of a file in this folder"));
  write_file(index, R"({"weight_map":[]})");
  EXPECT_THAT(message_of(ExitCode::damaged, opening), HasSubstr("no object \"weight_map\""));
}

}  // namespace
}  // namespace trireme::io
