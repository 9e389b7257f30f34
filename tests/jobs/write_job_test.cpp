#include "jobs/write_job.h"

#include <boost/json/parse.hpp>
#include <filesystem>

#include <gtest/gtest.h>

#include "jobs/keys.h"
#include "jobs/read_job.h"
#include "tests/jobs/minimal_job.h"

namespace trireme::jobs {
namespace {

using trireme::testing::minimal_job;

TEST(WriteJob, ReadsBackAsTheSameJob) {
  const JobSpec job = parse_job(
      minimal_job(R"(output_dir: "a b: #c 'd' true"
seed: 9007199254740991
learning_rate: 0.1
adam_epsilon: 1.0000000000000002e-08
slurm:
  time_limit: "1-00:00:00"
placement:
  preset: hpz
  optimizer:
    tier: host
  activations: recomputed
schedule:
  order: unit_major
)")
          .replace(minimal_job().find("learning_rate"), std::string("learning_rate: 2e-4\n").size(), ""),
      "job.yaml");
  const std::string written = to_yaml(job);
  const JobSpec again = parse_job(written, "written");
  EXPECT_EQ(to_yaml(again), written);
  EXPECT_EQ(again.output_dir, "a b: #c 'd' true");
  EXPECT_EQ(again.seed, 9007199254740991);
  EXPECT_EQ(again.learning_rate, 0.1);
  EXPECT_EQ(again.adam_epsilon, 1.0000000000000002e-08);
  EXPECT_EQ(again.slurm.time_limit, "1-00:00:00");
  EXPECT_EQ(again.placement, job.placement);
  EXPECT_EQ(again.schedule, job.schedule);
}

TEST(WriteJob, ADataSetWithAFormatOfItsOwnReadsBack) {
  const JobSpec job =
      parse_job(minimal_job(), "job.yaml", {R"(datasets=[{path: a.jsonl, start: 4000, end: 8000, 
    type: {system_prompt: "Be: brief", field_input: context, format: "<|user|>\n {input} {instruction} </s>"}},
    {path: "b #.jsonl", type: completion, field: body, skip_bad_rows: true}])"});
  EXPECT_EQ(job.datasets[0].format.format, "<|user|>\n {input} {instruction} </s>");
  EXPECT_EQ(job.datasets[0].end, 8000);
  EXPECT_EQ(job.datasets[1].format.field, "body");
  EXPECT_EQ(parse_job(to_yaml(job), "written").datasets, job.datasets);
  const JobSpec chats = parse_job(
      minimal_job(), "job.yaml",
      {R"(datasets=[{path: a.json, type: sharegpt, weight: 0.5, train_on_eos: last, chat_template_jinja: "{{ 1 }}\n x",
      roles: {user: [human, customer], assistant: [gpt]}, roles_to_train: [assistant, tool], message_property_mappings: {role: who, content: what}},
      {path: b.csv, type: chat_template, ds_type: csv, drop_system_message: true, message_field_training: train}])",
       "eot_tokens=[<a>, <b>]", "chat_template=jinja", R"(chat_template_jinja="{{ messages }}\n")",
       "val_set_size=0.05", "eval_steps=10"});
  EXPECT_EQ(chats.datasets[0].format.chat.roles.at("customer"), "user");
  EXPECT_EQ(chats.datasets[0].format.chat.role_field, "who");
  EXPECT_EQ(chats.datasets[0].format.chat.chat_template, "jinja");
  EXPECT_EQ(chats.datasets[1].format.chat.chat_template, "");
  const JobSpec again = parse_job(to_yaml(chats), "written");
  EXPECT_EQ(again.datasets, chats.datasets);
  EXPECT_EQ(again.eot_tokens, chats.eot_tokens);
  EXPECT_EQ(again.chat_template_jinja, "{{ messages }}\n");
  EXPECT_EQ(again.val_set_size, 0.05);
}

TEST(WriteJob, EveryRecipeIsAJob) {
  int recipes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TRIREME_RECIPES)) {
    if (entry.path().extension() != ".yaml") continue;
    EXPECT_NO_THROW(load_job(entry.path())) << entry.path();
    ++recipes;
  }
  EXPECT_GE(recipes, 1);
}

TEST(WriteJob, TheSchemaKnowsEveryKey) {
  const auto schema = boost::json::parse(json_schema());
  const auto& properties = schema.at("properties").as_object();
  for (const Key& key : keys()) {
    const std::string name(key.name);
    const std::size_t dot = name.find('.');
    const bool known =
        dot == std::string::npos
            ? properties.contains(name)
            : properties.at(name.substr(0, dot)).at("properties").as_object().contains(name.substr(dot + 1));
    EXPECT_TRUE(known) << name;
    EXPECT_FALSE(key.meaning.empty()) << name;
  }
  EXPECT_TRUE(properties.contains("placement"));
}

}  // namespace
}  // namespace trireme::jobs
