#include "core/bytes.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace trireme {
namespace {

TEST(Bytes, ParsesBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_bytes("17"), 17u);
  EXPECT_EQ(parse_bytes("64K"), 65536u);
  EXPECT_EQ(parse_bytes("64 KiB"), 65536u);
  EXPECT_EQ(parse_bytes("1.5G"), 1610612736u);
  EXPECT_EQ(parse_bytes("100MB"), 100000000u);
}

TEST(Bytes, RefusesWhatIsNotANumberOfBytes) {
  for (const char* text : {"", "x", "-1", "1Q", "1KiBs", "nan", "inf", "1e30", "99999999T"}) {
    try {
      parse_bytes(text);
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
    }
  }
}

TEST(Bytes, WritesForPeople) {
  EXPECT_EQ(human_bytes(17), "17 B");
  EXPECT_EQ(human_bytes(65536), "64 KiB");
  EXPECT_EQ(human_bytes(1.5 * 1024 * 1024), "1.50 MiB");
}

}  // namespace
}  // namespace trireme
