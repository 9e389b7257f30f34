#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "jobs/imports/accelerate.h"
#include "jobs/imports/axolotl_keys.h"
#include "jobs/imports/deepspeed.h"
#include "jobs/imports/fsdp.h"
#include "jobs/read_job.h"
#include "jobs/write_job.h"
#include "tests/io/scratch.h"
#include "tests/jobs/minimal_job.h"

namespace trireme::jobs {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using trireme::testing::message_of;
using trireme::testing::minimal_job;

const std::string foreign = TRIREME_FOREIGN;

JobSpec with_deepspeed(const std::string& json, const std::string& more = "",
                       const std::vector<std::string>& words = {}) {
  trireme::testing::Scratch scratch;
  trireme::testing::write_file(scratch / "ds.json", json);
  return parse_job(minimal_job("deepspeed: ds.json\n" + more), "job.yaml", words, scratch.path());
}
std::string refusal(const std::string& json, const std::string& more = "") {
  return message_of(ExitCode::configuration, [&] { with_deepspeed(json, more); });
}

TEST(DeepSpeed, ZeroOneOfAPublishedCourse) {
  const JobSpec job = load_job(foreign + "/axolotl-lora.yaml",
                               {"optimizer=adamw_torch", "deepspeed=" + foreign + "/deepspeed-zero1.json"});
  EXPECT_EQ(job.placement.preset, "zero1");
  EXPECT_EQ(job.loss_scale.initial_power, 32);
  EXPECT_EQ(job.max_grad_norm, 1.0);
  EXPECT_EQ(job.bf16, "auto");
  EXPECT_EQ(job.micro_batch_size, 4);
  EXPECT_EQ(job.sequence_len, 2048);
  EXPECT_TRUE(job.gradient_checkpointing);
  EXPECT_EQ(job.datasets[0].format.field_instruction, "question");
  EXPECT_THAT(job.notes,
              Contains(HasSubstr("zero_optimization.stage = 1: taken as placement.preset: zero1")));
  EXPECT_THAT(job.notes, Contains(HasSubstr("warmup")));
  EXPECT_EQ(job.said.at("placement.preset"), foreign + "/deepspeed-zero1.json: zero_optimization.stage");
}

TEST(DeepSpeed, EverythingOfAZeroInfinityFileHasItsPlace) {
  const Import import = read_deepspeed(foreign + "/deepspeed-zero3-nvme.json");
  std::map<std::string, std::string> said;
  for (const Setting& setting : import.settings) said[setting.name] = setting.value.Scalar();
  const std::map<std::string, std::string> wanted{
      {"bf16", "true"},
      {"optimizer", "adamw_torch"},
      {"learning_rate", "3e-05"},
      {"adam_beta1", "0.8"},
      {"adam_beta2", "0.95"},
      {"adam_epsilon", "1e-08"},
      {"weight_decay", "3e-07"},
      {"lr_scheduler", "linear"},
      {"warmup_steps", "500"},
      {"max_steps", "4000"},
      {"placement.preset", "zero3"},
      {"placement.optimizer.tier", "nvme"},
      {"placement.parameters.tier", "host"},
      {"placement.persist_below", "1000000"},
      {"placement.secondary.span", "8"},
      {"placement.parameters.wire", "int8"},
      {"placement.gradients.wire", "int4_two_hop"},
      {"slurm.scratch", "/local_nvme"},
      {"gradient_accumulation_steps", "4"},
      {"max_grad_norm", "0.5"},
      {"logging_steps", "2000"},
      {"train_batch_size", "64"},
      {"micro_batch_size", "2"},
  };
  EXPECT_EQ(said, wanted);
  const JobSpec job = parse_job("base_model: m\ndatasets:\n  - path: t.npy\n", "job.yaml",
                                {"deepspeed=" + foreign + "/deepspeed-zero3-nvme.json"});
  EXPECT_EQ(job.train_batch_size, 64);
  EXPECT_EQ(placement_of(job, sharding::Codec::bf16).optimizer.tier, sharding::Tier::nvme);
}

/// No key of a file may pass without a word about it.
TEST(DeepSpeed, EachKeyIsSpokenOf) {
  for (const char* name : {"deepspeed-zero1.json", "deepspeed-zero3-nvme.json"}) {
    const Import import = read_deepspeed(foreign + "/" + name);
    for (const char* key : {"stage", "overlap_comm", "gradient_clipping", "train_batch_size", "enabled"})
      EXPECT_THAT(import.mapped, Contains(::testing::Field(&Mapped::key, HasSubstr(key)))) << name;
    for (const Mapped& mapped : import.mapped)
      EXPECT_FALSE(mapped.what.empty() && mapped.note.empty()) << mapped.key;
  }
}

TEST(DeepSpeed, TableNamesEachKeyOnceAndSaysWhy) {
  for (const auto* table : {&deepspeed_keys(), &fsdp_keys(), &accelerate_keys(), &axolotl_keys()}) {
    std::vector<std::string_view> names;
    for (const ForeignKey& key : *table) {
      names.push_back(key.name);
      const bool silent = key.fate == ForeignKey::Fate::noted || key.fate == ForeignKey::Fate::refused;
      EXPECT_FALSE(silent && key.note.empty()) << key.name;
      EXPECT_EQ(key.fate == ForeignKey::Fate::same, !key.ours.empty()) << key.name;
    }
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  }
}

TEST(DeepSpeed, Fp16IsTakenWithItsScale) {
  const JobSpec job = with_deepspeed(
      R"({"zero_optimization": {"stage": 2, "cpu_offload": true}, "fp16": {"enabled": true, "loss_scale": 0,
          "initial_scale_power": 12, "loss_scale_window": 100, "hysteresis": 3, "min_loss_scale": 0.5}})",
      "bf16: auto\n");
  EXPECT_TRUE(job.fp16);
  EXPECT_EQ(job.bf16, "false");
  EXPECT_EQ(job.loss_scale, (LossScaleChoice{12, 100, 3, 0.5}));
  EXPECT_EQ(placement_of(job, sharding::Codec::fp16).optimizer.tier, sharding::Tier::host);
}

TEST(DeepSpeed, FileAndJobMustAgreeButTheCommandLineWins) {
  const std::string three = R"({"zero_optimization": {"stage": 3}, "gradient_clipping": 1})";
  EXPECT_THAT(refusal(three, "placement: zero2\n"), HasSubstr("job.yaml, line 6: placement is zero2, but "));
  EXPECT_THAT(refusal(three, "max_grad_norm: 2\n"), HasSubstr("gradient_clipping says 1; make them agree"));
  EXPECT_EQ(with_deepspeed(three, "max_grad_norm: 1.0\nplacement: zero3\n").max_grad_norm, 1.0);
  EXPECT_EQ(with_deepspeed(three, "", {"placement=hsdp", "max_grad_norm=3"}).max_grad_norm, 3);
  EXPECT_EQ(with_deepspeed(three, "", {"deepspeed="}).placement.preset, "ddp");
  EXPECT_THAT(refusal(three, "fsdp: full_shard\n"), HasSubstr("deepspeed and fsdp are both given; keep one"));
}

struct Bad {
  const char *json, *says;
};

TEST(DeepSpeed, RefusesInOneSentenceWithTheReason) {
  for (const auto& [json, says] : {
           Bad{R"({"zero_optimization": {"stage": 4}})",
               "ds.json: zero_optimization.stage = 4 is refused: stages are 0, 1, 2 and 3"},
           Bad{R"({"zero_optimization": {"stag": 1}})",
               "the key zero_optimization.stag is not known, did you mean zero_optimization.stage?"},
           Bad{R"({"zero_optimization": {"stage": 1, "offload_param": {"device": "cpu"}}})",
               "offloads parameters with stage 3 alone"},
           Bad{R"({"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "disk"}}})",
               "the device must be none, cpu or nvme"},
           Bad{R"({"zero_optimization": {"stage": 2, "zero_hpz_partition_size": 8}})", "stage 3 alone"},
           Bad{R"({"zero_optimization": {"stage": 3, "overlap_comm": "maybe"}})", "must be true or false"},
           Bad{R"({"fp16": {"enabled": true}, "bf16": {"enabled": true}})", "keep one"},
           Bad{R"({"fp16": {"enabled": true, "loss_scale": 128}})", "use 0 and say initial_scale_power"},
           Bad{R"({"optimizer": {"type": "OneBitAdam"}})", "optimizer.type = OneBitAdam is refused"},
           Bad{R"({"optimizer": {"type": "Adam", "params": {"adam_w_mode": false, "weight_decay": 0.1}}})",
               "decoupled"},
           Bad{R"({"scheduler": {"type": "OneCycle"}})", "there are WarmupLR"},
           Bad{R"({"sparse_attention": {"mode": "fixed"}})", "attention is dense here"},
           Bad{R"({"gradient_clipping": "much"})", "max_grad_norm must be a number"},
           Bad{R"({"train_batch_size": 8.5})", "train_batch_size must be a whole number"},
           Bad{R"({"gradient_clipping": [1]})", "must be one number or word"},
           Bad{R"([1])", "must be a JSON object"},
           Bad{R"({"a": )", "not valid JSON"},
           Bad{R"({"gradient_clipping": 1, "gradient_clipping": 2})", "given twice"},
       })
    EXPECT_THAT(refusal(json), HasSubstr(says)) << json;
  EXPECT_THAT(message_of(ExitCode::configuration,
                         [] { parse_job(minimal_job("deepspeed: /absent.json\n"), "job.yaml"); }),
              HasSubstr("/absent.json"));
}

TEST(DeepSpeed, ASectionInsideTheJobFileIsReadToo) {
  const JobSpec job = parse_job(
      minimal_job("deepspeed:\n  zero_optimization:\n    stage: 3\n    offload_param:\n      device: cpu\n"),
      "job.yaml");
  EXPECT_EQ(job.placement.preset, "zero3");
  EXPECT_EQ(job.placement.said.at("parameters.tier"), "host");
}

TEST(Fsdp, QloraOfAPublishedCourse) {
  const JobSpec job = load_job(foreign + "/axolotl-qlora-fsdp.yaml", {"adapter=lora", "load_in_4bit=false"});
  EXPECT_EQ(job.placement.preset, "fsdp_full");
  for (const char* state : {"parameters.tier", "gradients.tier", "optimizer.tier"})
    EXPECT_EQ(job.placement.said.at(state), "host");
  EXPECT_EQ(job.lora_r, 8);
  EXPECT_EQ(job.lora_target_modules, (std::vector<std::string>{"q_proj", "v_proj"}));
  EXPECT_THAT(job.notes, Contains(HasSubstr("lora_r is not given: 8")));
  EXPECT_THAT(job.notes, Contains(HasSubstr("special_tokens.pad_token")));
  const Import quantised = read_fsdp({{{"fsdp", YAML::Load("[full_shard, offload]"), "job.yaml"}}, {}, true});
  EXPECT_THAT(quantised.settings, Contains(::testing::Field(&Setting::name, "placement.frozen.tier")));
  EXPECT_EQ(quantised.settings.front().value.Scalar(), "qlora_fsdp");
}

TEST(Fsdp, VersionTwoOfAxolotl) {
  const JobSpec job = load_job(foreign + "/axolotl-fsdp2.yaml");
  EXPECT_EQ(job.placement.preset, "fsdp_full");
  EXPECT_TRUE(job.placement.said.empty());
  EXPECT_TRUE(job.gradient_checkpointing);
  EXPECT_THAT(job.notes, Contains(HasSubstr("liger_rope")));
}

TEST(Fsdp, StrategiesAreNames) {
  for (const auto& [word, preset] : {std::pair{"full_shard", "fsdp_full"},
                                     {"shard_grad_op", "fsdp_grad_op"},
                                     {"no_shard", "ddp"},
                                     {"hybrid_shard", "hsdp"}})
    EXPECT_EQ(parse_job(minimal_job(std::string("fsdp: ") + word + " auto_wrap\n"), "j").placement.preset,
              preset);
  const auto refused = [](const char* more) {
    return message_of(ExitCode::configuration, [&] { parse_job(minimal_job(more), "job.yaml"); });
  };
  EXPECT_THAT(refused("fsdp: [full_shart]\n"),
              HasSubstr("fsdp: full_shart is not known, did you mean full_shard?"));
  EXPECT_THAT(
      refused("fsdp_config:\n  fsdp_ofload_params: true\n"),
      HasSubstr("line 6: the key fsdp_config.ofload_params is not known, did you mean offload_params?"));
  EXPECT_THAT(refused("fsdp: full_shard\nfsdp_config:\n  sharding_strategy: NO_SHARD\n"),
              HasSubstr("another strategy was said before: fsdp_full"));
}

TEST(Accelerate, FsdpOverTwoMachines) {
  const JobSpec job =
      parse_job(minimal_job("accelerate: " + foreign + "/accelerate-fsdp.yaml\n"), "job.yaml");
  EXPECT_EQ(job.placement.preset, "hsdp");
  EXPECT_EQ(job.placement.said.at("secondary.span"), "1");
  EXPECT_EQ(job.placement.said.at("optimizer.tier"), "host");
  EXPECT_EQ(job.schedule.prefetch_depth, 0);
  EXPECT_EQ(job.slurm.nodes, 2);
  EXPECT_EQ(job.slurm.ranks_per_node, 8);
  EXPECT_EQ(job.bf16, "true");
  EXPECT_TRUE(job.gradient_checkpointing);
}

TEST(Accelerate, DeepSpeedInItsShortWords) {
  const auto settings = [](const std::string& text) { return parse_accelerate(text, "acc.yaml", "", false); };
  const Import import = settings(
      "distributed_type: DEEPSPEED\ndeepspeed_config:\n  zero_stage: 2\n  offload_optimizer_device: cpu\n"
      "  gradient_clipping: 1.0\n  zero3_init_flag: false\nmixed_precision: fp16\n");
  std::map<std::string, std::string> said;
  for (const Setting& setting : import.settings) said[setting.name] = setting.value.Scalar();
  EXPECT_EQ(said, (std::map<std::string, std::string>{{"fp16", "true"},
                                                      {"placement.preset", "zero2"},
                                                      {"placement.optimizer.tier", "host"},
                                                      {"max_grad_norm", "1.0"}}));
  const auto refused = [&](const char* text) {
    return message_of(ExitCode::configuration, [&] { settings(text); });
  };
  EXPECT_THAT(refused("distributed_type: FSDP\n"), HasSubstr("the section fsdp_config is missing"));
  EXPECT_THAT(refused("distributed_type: MEGATRON_LM\n"), HasSubstr("is refused"));
  EXPECT_THAT(refused("mixed_precision: fp8\n"), HasSubstr("no, bf16 and fp16"));
  EXPECT_THAT(refused("num_machines: 3\nnum_processes: 8\n"), HasSubstr("not a multiple"));
  EXPECT_THAT(refused("num_processs: 8\n"), HasSubstr("did you mean num_processes?"));
}

TEST(Axolotl, WhatIsAskedForAndNotThereIsRefusedWithTheReason) {
  const auto refused = [](const char* more) {
    return message_of(ExitCode::configuration, [&] { parse_job(minimal_job(more), "job.yaml"); });
  };
  EXPECT_THAT(refused("rl: dpo\n"), HasSubstr("line 5: rl is refused: there is no preference tuning yet"));
  EXPECT_THAT(refused("peft:\n  loftq_config:\n    loftq_bits: 4\n"), HasSubstr("plain LoRA"));
  EXPECT_NO_THROW(
      parse_job(minimal_job("rl:\nneftune_noise_alpha: 0\nbatch_flattening: false\n"), "job.yaml"));
}

}  // namespace
}  // namespace trireme::jobs
