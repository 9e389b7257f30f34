#include <random>

#include <gtest/gtest.h>

#include "jobs/read_job.h"
#include "jobs/write_job.h"
#include "tests/io/scratch.h"
#include "tests/jobs/minimal_job.h"

namespace trireme::jobs {
namespace {

/// A damaged job is refused in one line or is a job that can be written and read again; never anything else.
TEST(MutatedJob, IsRefusedInOneSentenceOrReadsBack) {
  const std::string good = trireme::testing::minimal_job(
      "seed: 3\nplacement:\n  preset: zero3\n  gradients:\n    codec: bf16\nslurm:\n  nodes: 2\n  "
      "time_limit: '1-00:00:00'\n"
      "lr_scheduler: linear\nwarmup_steps: 5\nbf16: false\n"
      "test_datasets:\n  - {path: a.jsonl, type: alpaca, name: one}\n"
      "weight_decay_groups:\n  - {match: norm|bias, weight_decay: 0.5}\n"
      "metric_for_best_model: one/loss\neval_steps: 4\n");
  std::mt19937 random(7);
  const std::string alphabet = "{}[]:,-#&*!|>'\"%@`\n\t \xff\x01 abz019._=~?";
  int refused = 0;
  constexpr int rounds = 3000;
  for (int round = 0; round < rounds; ++round) {
    std::string text = good;
    for (int edits = 1 + static_cast<int>(random() % 3); edits-- > 0 && !text.empty();) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 12);
          break;
        case 2:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 30));
          break;
      }
    }
    try {
      const JobSpec job = parse_job(text, "job.yaml");
      const std::string written = to_yaml(job);
      ASSERT_EQ(to_yaml(parse_job(written, "written")), written) << text;
    } catch (const Error& error) {
      const std::string message = error.what();
      ASSERT_EQ(error.code(), ExitCode::configuration) << message << "\n" << text;
      ASSERT_EQ(message.find('\n'), std::string::npos) << message;
      ++refused;
    }
  }
  EXPECT_GT(refused, rounds / 2);
}

}  // namespace
}  // namespace trireme::jobs
