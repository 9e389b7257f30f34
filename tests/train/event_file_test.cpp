#include "train/event_file.h"

#include <boost/json/parse.hpp>

#include <gtest/gtest.h>

#include "io/file.h"
#include "tests/io/scratch.h"

namespace trireme::train {
namespace {

/// The check values of RFC 3720, B.4.
TEST(EventFile, ChecksumsAreCastagnolis) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

/// tests/golden/make_event_file.py wrote these events with the tensorboard package.
TEST(EventFile, IsToTheByteThatOfTensorBoardsWriter) {
  const auto said = boost::json::parse(io::read_text(TRIREME_GOLDEN "/events/golden.json"));
  const double time = said.at("time").as_double();
  std::string ours = framed(version_event(time));
  for (const auto& entry : said.at("steps").as_array()) {
    const auto step = entry.as_array()[0].as_int64();
    Scalars scalars;
    for (const auto& [tag, value] : entry.as_array()[1].as_object())
      scalars.emplace_back(tag, value.to_number<double>());
    ours += framed(scalars_event(time + static_cast<double>(step), step, scalars));
  }
  EXPECT_EQ(ours, io::read_text(TRIREME_GOLDEN "/events/golden.tfevents"));
}

TEST(EventFile, IsReadableAfterEachWrite) {
  const testing::Scratch scratch;
  EventFile file(scratch.path() / "tensorboard", 7);
  const std::string begin = framed(version_event(7));
  EXPECT_EQ(io::read_text(file.path()), begin);
  file.write(8, 1, {{"train/loss", 2.5}});
  EXPECT_EQ(io::read_text(file.path()), begin + framed(scalars_event(8, 1, {{"train/loss", 2.5}})));
  EXPECT_EQ(file.path().filename().string().rfind("events.out.tfevents.7.", 0), 0u);
}

}  // namespace
}  // namespace trireme::train
