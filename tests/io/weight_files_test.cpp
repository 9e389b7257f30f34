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
