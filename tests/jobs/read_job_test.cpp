#include "jobs/read_job.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sharding/presets.h"
#include "tests/io/scratch.h"
#include "tests/jobs/minimal_job.h"

namespace trireme::jobs {
namespace {

using ::testing::HasSubstr;
using trireme::testing::message_of;
using trireme::testing::minimal_job;
using trireme::testing::Scratch;
using trireme::testing::write_file;

JobSpec parse(const std::string& text, const std::vector<std::string>& words = {}) {
  return parse_job(text, "job.yaml", words);
}
std::string refusal(const std::string& more, const std::vector<std::string>& words = {}) {
  return message_of(ExitCode::configuration, [&] { parse(minimal_job(more), words); });
}

TEST(ReadJob, FillsInDefaults) {
  const JobSpec job = parse(minimal_job());
  EXPECT_EQ(job.base_model, "models/tiny");
  EXPECT_EQ(job.datasets, (std::vector<DataSet>{{.path = "tokens.npy", .format = {}}}));
  EXPECT_EQ(job.learning_rate, 2e-4);
  EXPECT_EQ(job.sequence_len, 2048);
  EXPECT_EQ(job.placement.preset, "ddp");
}

TEST(ReadJob, TheCommandLineHasTheLastWord) {
  const JobSpec job =
      parse(minimal_job("slurm:\n  nodes: 4\nmicro_batch_size: 2\n"),
            {"slurm.nodes=2", "learning_rate=3e-5", "placement=zero3", "placement.gradients.codec=bf16"});
  EXPECT_EQ(job.slurm.nodes, 2);
  EXPECT_EQ(job.micro_batch_size, 2);
  EXPECT_EQ(job.learning_rate, 3e-5);
  EXPECT_EQ(placement_of(job, sharding::Codec::fp32).gradients.codec, sharding::Codec::bf16);
  EXPECT_EQ(message_of(ExitCode::usage, [] { parse(minimal_job(), {"nonsense"}); }),
            "command line: \"nonsense\" is not of the form key=value");
}

TEST(ReadJob, IncludesComeFirst) {
  Scratch scratch;
  write_file(scratch / "base.yaml", minimal_job("seed: 7\nmicro_batch_size: 3\n"));
  write_file(scratch / "job.yaml", "include: base.yaml\nseed: 8\n");
  const JobSpec job = load_job(scratch / "job.yaml");
  EXPECT_EQ(job.seed, 8);
  EXPECT_EQ(job.micro_batch_size, 3);
  write_file(scratch / "loop.yaml", "include: loop.yaml\n");
  EXPECT_THAT(message_of(ExitCode::configuration, [&] { load_job(scratch / "loop.yaml"); }),
              HasSubstr("more than 8 deep"));
}

TEST(ReadJob, PlacementIsANameOrATable) {
  EXPECT_EQ(placement_of(parse(minimal_job("placement: zero3\n")), sharding::Codec::bf16),
            sharding::preset("zero3", sharding::Codec::bf16));
  const JobSpec job =
      parse(minimal_job("placement:\n  preset: zero1\n  optimizer:\n    span: node\n  persist_below: 100\n"));
  const sharding::Placement placement = placement_of(job, sharding::Codec::fp32);
  EXPECT_EQ(placement.optimizer.span, sharding::Span::node());
  EXPECT_EQ(placement.persist_below, 100);
  EXPECT_THAT(refusal("placement: zero4\n"),
              HasSubstr("job.yaml, line 5: there is no placement preset 'zero4'"));
  EXPECT_THAT(refusal("placement:\n  optimizer:\n    span: galaxy\n"), HasSubstr("cannot be \"galaxy\""));
  EXPECT_THAT(refusal("placement:\n  optimiser:\n    span: node\n"),
              HasSubstr("did you mean placement.optimizer.span?"));
}

TEST(ReadJob, RecomputationFollowsGradientCheckpointing) {
  const JobSpec job = parse(minimal_job("gradient_checkpointing: true\n"));
  EXPECT_EQ(placement_of(job, sharding::Codec::fp32).activations, sharding::Activations::recomputed);
}

TEST(ReadJob, PagedOptimizersArePlacements) {
  for (const char* name : {"paged_adamw", "paged_adamw_32bit", "paged_adamw_8bit"}) {
    const std::string line = fmt::format("optimizer: {}\n", name);
    const sharding::Placement placement = placement_of(parse(minimal_job(line)), sharding::Codec::bf16);
    EXPECT_EQ(placement.optimizer.tier, sharding::Tier::host);
    EXPECT_EQ(placement.device_state_bytes, sharding::whatever_fits);
    const std::string budget = line + "placement:\n  preset: zero2\n  optimizer: {device_bytes: 2GiB}\n";
    EXPECT_EQ(placement_of(parse(minimal_job(budget)), sharding::Codec::bf16).device_state_bytes,
              std::uint64_t{2} << 30);
  }
  EXPECT_THAT(refusal("placement: {optimizer: {tier: host, device_bytes: much}}\n"),
              HasSubstr("cannot be \"much\""));
}

TEST(ReadJob, GradientsFollowTheirOptimizerToTheHostIfTheyGoThereOnce) {
  using sharding::Tier;
  const auto tier = [](const std::string& lines) {
    return placement_of(parse(minimal_job(lines)), sharding::Codec::bf16).gradients.tier;
  };
  for (const std::string preset : {"zero_offload", "zero_infinity", "zero2\n  optimizer: {tier: host}"}) {
    const std::string placement = "placement:\n  preset: " + preset + "\n";
    EXPECT_EQ(tier(placement), Tier::host) << preset;
    EXPECT_EQ(tier(placement + "gradient_accumulation_steps: 4\n"), Tier::device) << preset;
    EXPECT_EQ(tier(placement + "gradient_accumulation_steps: 4\nschedule: {order: unit_major}\n"), Tier::host)
        << preset;
    EXPECT_EQ(tier(placement + "  gradients: {tier: host}\ngradient_accumulation_steps: 4\n"), Tier::host);
    EXPECT_EQ(tier(placement + "  gradients: {tier: device}\n"), Tier::device);
  }
  EXPECT_EQ(tier("placement: zero2\n"), Tier::device);
}

TEST(ReadJob, OtherSpellingsAreOneKey) {
  EXPECT_EQ(parse(minimal_job("sequence_length: 512\n")).sequence_len, 512);
}

struct Bad {
  const char* text;
  const char* says;
};

TEST(ReadJob, EveryErrorNamesLineKeyAndHint) {
  for (const auto& [text, says] : {
           Bad{"micro_batch_sise: 2\n",
               "job.yaml, line 5: the key micro_batch_sise is unknown, did you mean micro_batch_size?"},
           Bad{"nodes: 2\n", "line 5: nodes belongs in the section slurm:"},
           Bad{"slurm:\n  node: 2\n", "line 6: the key slurm.node is unknown, did you mean slurm.nodes?"},
           Bad{"seed: 1\nseed: 2\n", "line 6: the key seed is given twice"},
           Bad{"seed: many\n", "seed must be a whole number, not \"many\""},
           Bad{"seed: 1.5\n", "seed must be a whole number, not \"1.5\""},
           Bad{"seed: -1\n", "seed must be between 0 and 9007199254740991, not \"-1\""},
           Bad{"seed: 99999999999999999999\n", "seed must be a whole number"},
           Bad{"micro_batch_size: 0\n", "micro_batch_size must be between 1 and"},
           Bad{"adam_beta1: 1.0\n", "adam_beta1 must be between"},
           Bad{"weight_decay: .nan\n", "weight_decay must be a number"},
           Bad{"weight_decay: nan\n", "weight_decay must be between"},
           Bad{"gradient_checkpointing: yes please\n", "gradient_checkpointing must be true or false"},
           Bad{"optimizer: adamv_torch\n",
               "must be one of adamw_torch, adamw_torch_fused, adamw_bnb_8bit, adamw_8bit, paged_adamw, "
               "paged_adamw_32bit, paged_adamw_8bit, sgd, not "
               "\"adamv_torch\", did you mean"},
           Bad{"optimizer: paged_lion_8bit\n", "optimizer: paged_lion_8bit is refused: there is no Lion"},
           Bad{"load_in_4bit: true\n", "add adapter: qlora"},
           Bad{"optimizer: [adamw_torch]\n", "optimizer must be one word or text, not a list"},
           Bad{"adapter: lora\nlora_target_linear: true\nlora_target_modules: [q_proj]\n", "keep one"},
           Bad{"wandb_project: x\n", "line 5: wandb_project is refused"},
           Bad{"fp16: true\nbf16: true\n", "fp16 and bf16 are both true"},
           Bad{"warmup_steps: 5\nwarmup_ratio: 0.1\n", "warmup_steps and warmup_ratio are both given"},
           Bad{"output_dir: \"a\\nb\"\n", "output_dir must be a single line"},
           Bad{"a: [\n", "not valid YAML"},
           Bad{"? [a, b]\n: 1\n", "a key must be a word"},
       })
    EXPECT_THAT(refusal(text), HasSubstr(says)) << text;
  EXPECT_THAT(refusal("", {"learnin_rate=1"}),
              HasSubstr("command line: the key learnin_rate is unknown, did you mean"));
  EXPECT_THAT(refusal("", {"datasets=[{path: x, type: alpacca}]"}),
              HasSubstr("datasets[0].type: alpacca is not known, did you mean alpaca?"));
  EXPECT_THAT(refusal("", {"datasets=[{path: x, type: {fromat: a}}]"}),
              HasSubstr("datasets[0].type: the key fromat is unknown, did you mean format?"));
  EXPECT_THAT(refusal("", {"datasets=[{path: x, type: alpaca, start: 5, end: 5}]"}),
              HasSubstr("end = 5 is not above start = 5"));
  EXPECT_THAT(refusal("", {"datasets=[{path: x, start: 5}]"}), HasSubstr("not for type tokens"));
  EXPECT_THAT(refusal("", {"datasets=[{path: x}, {path: y}]"}), HasSubstr("stands alone"));
  EXPECT_THAT(refusal("", {"datasets=[{path: x.jsonl, type: alpaca, roles_to_train: [user]}]"}),
              HasSubstr("roles_to_train is for type chat_template and sharegpt, not alpaca"));
  EXPECT_THAT(refusal("", {"datasets=[{path: x.jsonl, type: alpaca, weight: 0}]"}),
              HasSubstr("weight must be a number above 0"));
  EXPECT_THAT(refusal("", {"datasets=[{path: x.jsonl, type: sharegpt, train_on_eos: sometimes}]"}),
              HasSubstr("train_on_eos must be one of turn, all, last, none"));
  EXPECT_THAT(refusal("", {"datasets=[{path: x.jsonl, type: sharegpt, chat_template: jinja}]"}),
              HasSubstr("chat_template: jinja and chat_template_jinja go together"));
  EXPECT_THAT(refusal("", {"eval_steps=3"}), HasSubstr("set val_set_size"));
  EXPECT_THAT(refusal("", {"val_set_size=0.1"}), HasSubstr("are for text, not for an array of tokens"));
  EXPECT_THAT(refusal("", {"datasets=[{pat: x}]"}),
              HasSubstr("datasets[0]: the key pat is unknown, did you mean path?"));
  EXPECT_THAT(message_of(ExitCode::configuration, [] { parse("- a\n"); }), HasSubstr("must be a mapping"));
  EXPECT_THAT(message_of(ExitCode::configuration, [] { parse(""); }), HasSubstr("base_model is missing"));
}

TEST(ReadJob, EvaluationAndDecayAgreeWithThemselves) {
  const std::string text =
      "test_datasets:\n  - {path: '{base_model}/a.jsonl', type: alpaca}\n  - {path: b.npy, name: two}\n"
      "evals_per_epoch: 4\nsaves_per_epoch: 1\nearly_stopping_patience: 3\n";
  const JobSpec job = parse(minimal_job(text + "metric_for_best_model: eval_loss\n"));
  ASSERT_EQ(job.test_datasets.size(), 2u);
  EXPECT_EQ(job.test_datasets[0].path, "models/tiny/a.jsonl");
  EXPECT_EQ(job.test_datasets[0].shown_name(), "a");
  EXPECT_EQ(job.test_datasets[1].shown_name(), "two");
  EXPECT_EQ(job.metric_for_best_model, "loss");
  EXPECT_EQ(parse(minimal_job(text), {"test_datasets[1].name=three"}).test_datasets[1].name, "three");
  for (const auto& [word, says] : std::vector<std::pair<std::string, std::string>>{
           {"eval_steps=3", "eval_steps and evals_per_epoch say the same twice"},
           {"save_steps=3", "save_steps and saves_per_epoch say the same twice"},
           {"evals_per_epoch=0", "set eval_steps or evals_per_epoch"},
           {"test_datasets[1].name=a", "two sets to evaluate on are named a"},
           {"test_datasets[1].name=a/b", "must be a word of letters"},
           {"metric_for_best_model=b/loss", "names the set b, but there are a, two"},
           {"metric_for_best_model=perplexity", "ends with loss, token_accuracy, exact_match or rouge_l"},
           {"metric_for_best_model=rouge_l", "needs eval_generate_rows"},
           {"sgd_momentum=0.9", "is for optimizer: sgd"},
           {"on_non_finite=never", "on_non_finite"},
           {"weight_decay_groups=[{match: '(', weight_decay: 0}]", "is not a regular expression"},
           {"weight_decay_groups=[{match: a}]", "must be a mapping with match and weight_decay"}})
    EXPECT_THAT(refusal(text, {word}), HasSubstr(says)) << word;
}

TEST(ReadJob, WhatIsSwitchedOffIsAccepted) {
  const JobSpec job =
      parse(minimal_job("adapter:\nload_in_8bit: false\nval_set_size: 0.0\nspecial_tokens:\nfp16: false\n"));
  EXPECT_TRUE(job.notes.empty());
  EXPECT_THAT(parse(minimal_job("flash_attention: true\n")).notes,
              ::testing::Contains(HasSubstr("flash_attention")));
}

}  // namespace
}  // namespace trireme::jobs
