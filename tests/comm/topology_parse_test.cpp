#include "comm/topology_parse.h"

#include <gmock/gmock.h>

namespace trireme::comm {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

TEST(ParseCpuList, RangesAndSingles) {
  EXPECT_THAT(parse_cpu_list("0-3,8\n"), Optional(ElementsAre(0, 1, 2, 3, 8)));
  EXPECT_THAT(parse_cpu_list("5"), Optional(ElementsAre(5)));
  EXPECT_THAT(parse_cpu_list("\n"), Optional(IsEmpty()));
}

TEST(ParseCpuList, RefusesBrokenText) {
  for (const char* text : {"a", "3-", "-3", "4-2", "1,,2", "1-2-3x", "0-99999999999"})
    EXPECT_EQ(parse_cpu_list(text), std::nullopt) << text;
}

TEST(ParseNumber, TakesWholeNumbersOnly) {
  EXPECT_EQ(parse_number(" 42\n"), 42);
  EXPECT_EQ(parse_number("-1"), -1);
  for (const char* text : {"", "4x", "x", "1.5", "99999999999999999999"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
}

TEST(ParseDistances, OneLineOfTheKernel) {
  EXPECT_THAT(parse_distances("10 21\n"), ElementsAre(10, 21));
  EXPECT_THAT(parse_distances("10  21 31"), ElementsAre(10, 21, 31));
  EXPECT_THAT(parse_distances("10 far"), IsEmpty());
  EXPECT_THAT(parse_distances(""), IsEmpty());
}

TEST(ParseSpeeds, KnownAndUnknown) {
  EXPECT_DOUBLE_EQ(parse_speed_gigabits("25000\n"), 25);
  for (const char* text : {"-1\n", "4294967295", "", "fast"})
    EXPECT_EQ(parse_speed_gigabits(text), 0) << text;
  EXPECT_DOUBLE_EQ(parse_infiniband_rate("100 Gb/sec (4X EDR)\n"), 100);
  EXPECT_DOUBLE_EQ(parse_infiniband_rate("2.5 Gb/sec (1X SDR)"), 2.5);
  for (const char* text : {"", "100", "Gb/sec", "x Gb/sec", "-5 Gb/sec"})
    EXPECT_EQ(parse_infiniband_rate(text), 0) << text;
}

TEST(ValueOfLine, TakesTheKeyWhole) {
  const std::string text =
      "Model: \t\t NVIDIA H100 80GB HBM3\nBus Location: \t 0000:3b:00.0\nDevice Minor: \t 3\nodd line\n";
  EXPECT_EQ(value_of_line(text, "Model"), "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(value_of_line(text, "Bus Location"), "0000:3b:00.0");
  EXPECT_EQ(value_of_line(text, "Device Minor"), "3");
  EXPECT_EQ(value_of_line(text, "Minor"), "");
  EXPECT_EQ(value_of_line("", "Model"), "");
}

std::vector<std::string> visible(const std::optional<std::string>& variable) {
  const std::vector<Gpu> all = {{"a", "", "GPU-11aa", 0}, {"b", "", "GPU-11bb", 0}, {"c", "", "GPU-22cc", 1}};
  std::vector<std::string> ids;
  for (const Gpu& gpu : visible_gpus(all, variable)) ids.push_back(gpu.id);
  return ids;
}

TEST(VisibleGpus, FollowsCudasRules) {
  EXPECT_THAT(visible(std::nullopt), ElementsAre("a", "b", "c"));
  EXPECT_THAT(visible(""), IsEmpty());
  EXPECT_THAT(visible("-1"), IsEmpty());
  EXPECT_THAT(visible("NoDevFiles"), IsEmpty());
  EXPECT_THAT(visible("2,0"), ElementsAre("c", "a"));
  EXPECT_THAT(visible("1,7,0"), ElementsAre("b"));
  EXPECT_THAT(visible("GPU-22"), ElementsAre("c"));
  EXPECT_THAT(visible("GPU-11"), IsEmpty()) << "an ambiguous prefix names no GPU";
  EXPECT_THAT(visible("GPU-11bb, 0"), ElementsAre("b", "a"));
  EXPECT_THAT(visible("MIG-5c89,MIG-77"), ElementsAre("MIG-5c89", "MIG-77"));
}

}  // namespace
}  // namespace trireme::comm
