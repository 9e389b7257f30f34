#include "io/safetensors.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "io/safetensors_writer.h"
#include "tests/io/scratch.h"

namespace trireme::io {
namespace {

using trireme::testing::Scratch;

std::vector<float> counting(std::size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.5f);
  return values;
}

TEST(Safetensors, SlicesComeBackAsWritten) {
  Scratch scratch;
  const auto values = counting(24);
  const std::vector<std::int64_t> ids{7, -3};
  {
    SafetensorsWriter writer(
        scratch / "a.safetensors",
        {{"w", DType::f32, {4, 6}}, {"empty", DType::bf16, {0, 3}}, {"ids", DType::i64, {2}}});
    const auto bytes = std::as_bytes(std::span(values));
    writer.write("w", 10, bytes.subspan(40));
    writer.write("w", 0, bytes.first(40));
    writer.write("ids", 0, std::as_bytes(std::span(ids)));
    writer.commit();
  }
  const SafetensorsFile file(scratch / "a.safetensors");
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.at("w").shape, (std::vector<std::int64_t>{4, 6}));
  EXPECT_EQ(file.at("empty").elements(), 0u);
  std::vector<float> slice(7);
  file.read(file.at("w"), 9, std::as_writable_bytes(std::span(slice)));
  EXPECT_EQ(slice, std::vector<float>(values.begin() + 9, values.begin() + 16));
  std::vector<std::int64_t> back(2);
  file.read(file.at("ids"), 0, std::as_writable_bytes(std::span(back)));
  EXPECT_EQ(back, ids);
  EXPECT_EQ(file.find("none"), nullptr);
}

TEST(Safetensors, ConvertsAcrossPieceBorders) {
  Scratch scratch;
  const std::size_t count = 70'001;
  std::vector<BFloat16> stored(count);
  for (std::size_t i = 0; i < count; ++i) stored[i] = BFloat16(static_cast<float>(i % 251));
  {
    SafetensorsWriter writer(scratch / "b.safetensors",
                             {{"w", DType::bf16, {static_cast<std::int64_t>(count)}}});
    writer.write("w", 0, std::as_bytes(std::span(stored)));
    writer.commit();
  }
  const SafetensorsFile file(scratch / "b.safetensors");
  std::vector<float> wide(count - 5);
  file.read_as(file.at("w"), 5, DType::f32, std::as_writable_bytes(std::span(wide)));
  for (std::size_t i = 0; i < wide.size(); ++i) ASSERT_EQ(wide[i], static_cast<float>((i + 5) % 251)) << i;
  std::vector<Float16> half(3);
  file.read_as(file.at("w"), 65'535, DType::f16, std::as_writable_bytes(std::span(half)));
  EXPECT_EQ(static_cast<float>(half[2]), static_cast<float>(65'537 % 251));
}

TEST(Safetensors, NothingIsVisibleUnlessWhole) {
  Scratch scratch;
  {
    SafetensorsWriter writer(scratch / "c.safetensors", {{"w", DType::f32, {4}}});
    EXPECT_THROW(writer.commit(), Error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(Safetensors, RefusesSlicesBeyondTheEnd) {
  Scratch scratch;
  const auto values = counting(4);
  SafetensorsWriter writer(scratch / "d.safetensors", {{"w", DType::f32, {4}}});
  EXPECT_THROW(writer.write("w", 1, std::as_bytes(std::span(values))), Error);
  writer.write("w", 0, std::as_bytes(std::span(values)));
  writer.commit();
  const SafetensorsFile file(scratch / "d.safetensors");
  std::vector<float> out(3);
  EXPECT_THROW(file.read(file.at("w"), 2, std::as_writable_bytes(std::span(out))), Error);
  EXPECT_THROW(file.read(file.at("w"), ~std::uint64_t{0}, std::as_writable_bytes(std::span(out))), Error);
}

}  // namespace
}  // namespace trireme::io
