#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "io/safetensors_writer.h"
#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using ::testing::HasSubstr;
using trireme::testing::message_of;
using trireme::testing::Scratch;
using trireme::testing::write_file;

std::string little_endian(std::uint64_t value) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  return bytes;
}

struct Hostile {
  const char* name;
  std::string header;
  std::size_t data_bytes;
  ExitCode code;
  const char* says;
};

class HostileHeader : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileHeader, IsRefusedByName) {
  Scratch scratch;
  const Hostile& hostile = GetParam();
  const auto path = scratch / "x.safetensors";
  write_file(path,
             little_endian(hostile.header.size()) + hostile.header + std::string(hostile.data_bytes, '\0'));
  const std::string message = message_of(hostile.code, [&] { SafetensorsFile file(path); });
  EXPECT_THAT(message, HasSubstr("x.safetensors"));
  EXPECT_THAT(message, HasSubstr(hostile.says));
}

const std::string four = R"("dtype":"F32","shape":[1],"data_offsets")";

INSTANTIATE_TEST_SUITE_P(
    Headers, HostileHeader,
    ::testing::Values(
        Hostile{"overflow", R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})",
                0, ExitCode::damaged, "tensor w overflows"},
        Hostile{"huge", R"({"w":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0]}})", 0,
                ExitCode::damaged, "tensor w holds something other than a count"},
        Hostile{"negative", R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4,
                ExitCode::damaged, "other than a count"},
        Hostile{"fraction", R"({"w":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4,
                ExitCode::damaged, "other than a count"},
        Hostile{"overlap", "{\"a\":{" + four + ":[0,4]},\"b\":{" + four + ":[2,6]}}", 6, ExitCode::damaged,
                "overlaps"},
        Hostile{"same", "{\"a\":{" + four + ":[0,4]},\"b\":{" + four + ":[0,4]}}", 4, ExitCode::damaged,
                "overlaps"},
        Hostile{"hole", "{\"a\":{" + four + ":[0,4]},\"b\":{" + four + ":[8,12]}}", 12, ExitCode::damaged,
                "4 bytes before tensor b belong to no tensor"},
        Hostile{"late", "{\"a\":{" + four + ":[4,8]}}", 8, ExitCode::damaged, "belong to no tensor"},
        Hostile{"tail", "{\"a\":{" + four + ":[0,4]}}", 7, ExitCode::damaged, "3 bytes at the end"},
        Hostile{"beyond", "{\"a\":{" + four + ":[0,4]}}", 3, ExitCode::damaged,
                "outside the file's 3 data bytes"},
        Hostile{"backward", "{\"a\":{" + four + ":[4,0]}}", 4, ExitCode::damaged, "outside"},
        Hostile{"duplicate", "{\"a\":{" + four + ":[0,4]},\"a\":{" + four + ":[0,4]}}", 4,
                ExitCode::configuration, "the key \"a\" is given twice"},
        Hostile{"wrong_size", R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,4]}})", 4,
                ExitCode::damaged, "needs 2 bytes by shape and dtype"},
        Hostile{"unknown_dtype", R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}})", 4,
                ExitCode::configuration, "dtype F4"},
        Hostile{"no_shape", R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, ExitCode::damaged,
                "no \"shape\""},
        Hostile{"extra_field", "{\"a\":{" + four + ":[0,4],\"x\":1}}", 4, ExitCode::damaged, "unknown field"},
        Hostile{"not_object", "[1]", 0, ExitCode::damaged, "not a JSON object"},
        Hostile{"cut_json", "{\"a\":{" + four, 4, ExitCode::configuration, "not valid JSON"},
        Hostile{"after", "{} {}", 0, ExitCode::configuration, "not valid JSON"},
        Hostile{"empty", "", 0, ExitCode::damaged, "not a JSON object"},
        Hostile{"metadata", R"({"__metadata__":{"a":1}})", 0, ExitCode::damaged, "not a string"},
        Hostile{"deep", "{\"a\":" + std::string(200, '[') + std::string(200, ']') + "}", 0,
                ExitCode::configuration, "not valid JSON"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(HostileSafetensors, LengthsThatLie) {
  Scratch scratch;
  const auto path = scratch / "x.safetensors";
  const auto opening = [&] { SafetensorsFile file(path); };
  write_file(path, "short");
  EXPECT_THAT(message_of(ExitCode::damaged, opening), HasSubstr("too short"));
  write_file(path, little_endian(100'000'001) + "{}");
  EXPECT_THAT(message_of(ExitCode::damaged, opening), HasSubstr("the format allows 100000000"));
  write_file(path, little_endian(~std::uint64_t{0}) + "{}");
  EXPECT_THAT(message_of(ExitCode::damaged, opening), HasSubstr("the format allows"));
  write_file(path, little_endian(3) + "{}");
  EXPECT_THAT(message_of(ExitCode::damaged, opening), HasSubstr("only 2"));
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { SafetensorsFile file(scratch.path()); }),
              HasSubstr("not a regular file"));
}

/// Whatever bytes come, the answer is an Error or a header whose tensors lie inside the file.
TEST(HostileSafetensors, RandomDamageIsRefusedOrHarmless) {
  Scratch scratch;
  const auto good_path = scratch / "good.safetensors", path = scratch / "bad.safetensors";
  {
    SafetensorsWriter writer(good_path,
                             {{"a", DType::f32, {2, 3}}, {"b.c", DType::bf16, {5}}, {"d", DType::i64, {1}}});
    writer.write("a", 0, std::vector<std::byte>(24));
    writer.write("b.c", 0, std::vector<std::byte>(10));
    writer.write("d", 0, std::vector<std::byte>(8));
    writer.commit();
  }
  const std::string good = trireme::testing::read_file(good_path);
  const std::string header = good.substr(8, good.size() - 8 - 42);
  std::mt19937 random(20240229);
  const std::string alphabet = "{}[]\",:0123456789-.eFB\\\x80\xff abcdtypeshape";
  int refused = 0;
  constexpr int rounds = 20'000;
  for (int round = 0; round < rounds; ++round) {
    std::string text = header;
    for (int edits = 1 + static_cast<int>(random() % 4); edits-- > 0 && !text.empty();) {
      const std::size_t at = random() % text.size();
      const char letter = alphabet[random() % alphabet.size()];
      switch (random() % 4) {
        case 0:
          text[at] = letter;
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        case 2:
          text.insert(at, 1, letter);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
      }
    }
    const std::uint64_t file_bytes = 8 + text.size() + 42;
    try {
      for (const StoredTensor& tensor : parse_safetensors_header(text, file_bytes, "damaged").tensors) {
        ASSERT_LE(tensor.begin, tensor.end);
        ASSERT_LE(tensor.end, file_bytes);
      }
    } catch (const Error& error) {
      ASSERT_NE(error.code(), ExitCode::internal) << error.what() << "\n" << text;
      ++refused;
    }
  }
  EXPECT_GT(refused, rounds / 2);
  for (std::size_t length = 0; length < good.size(); ++length) {
    write_file(path, good.substr(0, length));
    EXPECT_THROW(SafetensorsFile file(path), Error) << length;
  }
}

}  // namespace
}  // namespace trireme::io
