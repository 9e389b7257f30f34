#include "train/report/report.h"

#include <cmath>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/scratch.h"
#include "train/report/chart.h"
#include "train/report/screen.h"
#include "train/report/text_plot.h"

namespace trireme::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

RunRecord run_of(std::int64_t steps, const std::string& folder = "/runs/one") {
  RunRecord run;
  run.folder = folder;
  run.status.state = "running", run.status.step = steps, run.status.total_steps = steps * 2;
  for (std::int64_t step = 1; step <= steps; ++step)
    run.steps.push_back({.step = step,
                         .loss = 5.0 / std::sqrt(static_cast<double>(step)),
                         .tokens = 100,
                         .tokens_per_s = 1000,
                         .learning_rate = 1e-4,
                         .grad_norm = 1,
                         .time = 1.7e9 + static_cast<double>(step) * 0.5,
                         .host_bytes = 1 << 30});
  run.events = {{1.7e9, "start", 0, "2 ranks"},
                {1.7e9 + 9, "resume", steps / 2, "<script>alert(1)</script>"}};
  run.job = "base_model: \"a & b <c>\"\n";
  run.environment = {{"ranks", "2"}, {"nodes", "1"}};
  return run;
}

TEST(Series, ThinningKeepsEndsAndExtremes) {
  Series series;
  for (int i = 0; i < 100000; ++i) series.x.push_back(i), series.y.push_back(std::sin(i * 1e-3));
  series.y[54321] = 99, series.y[777] = -99;
  const Series thin = thinned(series, 1200);
  EXPECT_LE(thin.size(), 1200u);
  EXPECT_GE(thin.size(), 700u);
  EXPECT_THAT(thin.y, ::testing::Contains(99));
  EXPECT_THAT(thin.y, ::testing::Contains(-99));
  EXPECT_EQ(thin.x.front(), 0);
  EXPECT_EQ(thin.x.back(), 99999);
  EXPECT_TRUE(std::is_sorted(thin.x.begin(), thin.x.end()));
}

TEST(Series, TicksAreRound) {
  EXPECT_THAT(ticks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(ticks(3, 3, 5), ElementsAre(3));
  EXPECT_EQ(short_number(1500), "1500");
  EXPECT_EQ(short_number(12500), "12.5k");
  EXPECT_EQ(short_number(2e-4), "2e-4");
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(2.5e9), "2.5G");
}

TEST(TextPlot, AFallingLineGoesFromTopLeftToBottomRight) {
  const auto lines = text_plot({{0, 1, 2, 3}, {3, 2, 1, 0}}, 2, 1);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "⠑⢄");
  EXPECT_EQ(text_bar(0.5, 4), "██░░");
  EXPECT_TRUE(text_plot({}, 10, 3).empty());
  EXPECT_EQ(text_plot({{1}, {NAN}}, 1, 1).size(), 1u);
}

TEST(Screen, HasMemoryLanesAndNodes) {
  RunRecord run = run_of(100);
  run.memory =
      R"({"foretold": [{"what": "a", "tier": "device", "bytes": 2147483648},)"
      R"( {"what": "b", "tier": "host", "bytes": 1048576}], "measured": {"device": 1073741824, "nvme": 0}})";
  run.lanes = R"({"step_s": 0.5, "foretold_s": 0.4, "lanes": {"compute": 0.4, "gather": 0.1}})";
  run.nodes = {{"n0", true, 12.5}, {"n1", false, 0.25}};
  const std::string picture = screen(run, 120, 30);
  for (const char* words :
       {"memory   device 1 GiB, foretold 2 GiB   host 0 B, foretold 1 MiB\n", "compute 80 %", "gather 20 %",
        "of 0.5 s, foretold 0.4 s\n", "nodes    n1 left out 0.25 GB/s   n0 12.5 GB/s\n"})
    EXPECT_THAT(picture, HasSubstr(words));
  run.nodes.assign(2000, {"a-node-of-many", true, 12.5});
  for (const char* damaged :
       {"", "{", "[1]", R"({"step_s": "x", "lanes": 3})", R"({"step_s": 1, "lanes": {"a": null}})"}) {
    run.lanes = run.memory = damaged;
    EXPECT_LT(screen(run, 80, 30).size(), 6000u) << damaged;
  }
}

TEST(Screen, TellsWhereARunStands) {
  RunRecord run = run_of(100);
  EXPECT_EQ(seconds_left(run), 50);
  const std::string picture = screen(run, 80, 30);
  for (const char* words : {"/runs/one  running", "step 100 of 200, 50 s left", "1 GiB", "2 ranks on 1 nodes",
                            "resume at step 50"})
    EXPECT_THAT(picture, HasSubstr(words));
  EXPECT_LE(std::count(picture.begin(), picture.end(), '\n'), 30);
  EXPECT_THAT(summary(run), HasSubstr("running, step 100/200  loss 0.5"));
  run.steps.clear();
  EXPECT_THAT(screen(run, 20, 5), HasSubstr("/runs/one"));
  EXPECT_EQ(duration(3725), "1 h 2 min");
}

TEST(RunRecord, FollowsAFileThatGrowsAndIsCutBack) {
  testing::Scratch scratch;
  const auto file = scratch / "metrics.jsonl";
  MetricsReader reader(file);
  EXPECT_FALSE(reader.poll());
  testing::write_file(file, "{\"step\": 1, \"loss\": 2.5}\n{\"step\": 2, \"lo");
  EXPECT_TRUE(reader.poll());
  ASSERT_EQ(reader.steps().size(), 1u);
  std::ofstream(file, std::ios::app) << "ss\": 2.25}\nnonsense\n";
  EXPECT_TRUE(reader.poll());
  ASSERT_EQ(reader.steps().size(), 2u);
  EXPECT_EQ(reader.steps()[1].loss, 2.25);
  EXPECT_FALSE(reader.poll());
  testing::write_file(scratch / "fresh", "{\"step\": 1, \"loss\": 2.5, \"time\": 12.5, \"skipped\": true}\n");
  std::filesystem::rename(scratch / "fresh", file);
  EXPECT_TRUE(reader.poll());
  ASSERT_EQ(reader.steps().size(), 1u);
  EXPECT_EQ(reader.steps()[0].time, 12.5);
  EXPECT_TRUE(reader.steps()[0].skipped);
  EXPECT_EQ(json_of(metrics_from(json_of(reader.steps()[0]))), json_of(reader.steps()[0]));
}

TEST(RunRecord, EventsReadBackAndAFolderThatIsNoneIsRefused) {
  testing::Scratch scratch;
  EXPECT_EQ(testing::message_of(ExitCode::configuration, [&] { read_run(scratch.path()); }),
            scratch.path().string() + " is not a run folder: it has neither status.json nor metrics.jsonl");
  append_event(scratch.path(), {12.5, "save", 40, "it's \"here\"\n"});
  std::ofstream(scratch / "events.jsonl", std::ios::app) << "half a li";
  EXPECT_THAT(read_events(scratch.path()), ElementsAre(RunEvent{12.5, "save", 40, "it's \"here\"\n"}));
}

TEST(Report, OnePageWithoutAnythingFromElsewhere) {
  const std::string page = report_page({run_of(50), run_of(80, "/runs/two")});
  for (const char* words :
       {"<h1>one, two</h1>", "Loss", "Throughput", "Learning rate", "Host memory", "a &amp; b &lt;c&gt;",
        "&lt;script&gt;alert(1)", "prefers-color-scheme: dark", "data-name=\"two\""})
    EXPECT_THAT(page, HasSubstr(words));
  for (const char* words : {"http://", "https://", "src=", "href=", "@import", "url("}) {
    std::string rest = page;
    const std::string xml = "http://www.w3.org/1999/xhtml";
    rest.erase(rest.find(xml), xml.size());
    EXPECT_THAT(rest, Not(HasSubstr(words)));
  }
  EXPECT_THAT(page, HasSubstr("class=\"curve c1\""));
}

TEST(Report, StaysSmallWhereRunsAreLong) {
  const std::string page = report_page({run_of(100000)});
  EXPECT_LT(page.size(), 500'000u);
  EXPECT_THAT(page, HasSubstr("class=\"mark resume\""));
  EXPECT_THAT(
      report_page({RunRecord{
          .folder = "/runs/empty", .status = {}, .steps = {}, .events = {}, .job = "", .environment = {}}}),
      Not(HasSubstr("polyline class")));
}

}  // namespace
}  // namespace trireme::train
