#include "jobs/check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <set>
#include <tuple>

#include <fmt/ranges.h>

#include "core/error.h"

namespace trireme::jobs {

std::string DataSet::shown_name() const {
  return name.empty() ? std::filesystem::path(path).stem().string() : name;
}

namespace {

void check_best_metric(const JobSpec& job, const std::string& where) {
  if (job.metric_for_best_model.empty()) return;
  const std::size_t slash = job.metric_for_best_model.rfind('/');
  const std::string metric =
      slash == std::string::npos ? job.metric_for_best_model : job.metric_for_best_model.substr(slash + 1);
  constexpr std::array known{"loss", "token_accuracy", "exact_match", "rouge_l"};
  if (std::find(known.begin(), known.end(), metric) == known.end())
    fail(ExitCode::configuration,
         "{}: metric_for_best_model ends with loss, token_accuracy, exact_match or rouge_l, not \"{}\"",
         where, metric.substr(0, 60));
  if ((metric == "exact_match" || metric == "rouge_l") && job.eval_generate_rows == 0)
    fail(ExitCode::configuration, "{}: metric_for_best_model: {} needs eval_generate_rows", where, metric);
  if (slash == std::string::npos) return;
  const std::string set = job.metric_for_best_model.substr(0, slash);
  std::vector<std::string> names;
  if (job.val_set_size > 0) names.emplace_back("held_out");
  for (const DataSet& one : job.test_datasets) names.push_back(one.shown_name());
  if (std::find(names.begin(), names.end(), set) == names.end())
    fail(ExitCode::configuration, "{}: metric_for_best_model names the set {}, but there are {}", where,
         set.substr(0, 80), fmt::join(names, ", "));
}

void check_evaluation(const JobSpec& job, const std::string& where) {
  const bool evaluates = job.val_set_size > 0 || !job.test_datasets.empty();
  const auto needs = [&](bool given, const char* key) {
    if (given && !evaluates)
      fail(ExitCode::configuration,
           "{}: {} is given but there is nothing to evaluate on; set val_set_size or test_datasets", where,
           key);
  };
  needs(job.eval_steps > 0, "eval_steps");
  needs(job.early_stopping_patience > 0, "early_stopping_patience");
  needs(job.eval_generate_rows > 0, "eval_generate_rows");
  needs(!job.metric_for_best_model.empty(), "metric_for_best_model");
  needs(job.evals_per_epoch > 0, "evals_per_epoch");
  if (job.early_stopping_patience > 0 && job.eval_steps == 0 && job.evals_per_epoch == 0)
    fail(ExitCode::configuration,
         "{}: early_stopping_patience counts evaluations; set eval_steps or evals_per_epoch", where);
  for (const auto& [steps, times, kind] : {std::tuple(job.eval_steps, job.evals_per_epoch, "eval"),
                                           std::tuple(job.save_steps, job.saves_per_epoch, "save")})
    if (steps > 0 && times > 0)
      fail(ExitCode::configuration, "{}: {}_steps and {}s_per_epoch say the same twice; leave one out", where,
           kind, kind);
  std::set<std::string> names;
  if (job.val_set_size > 0) names.insert("held_out");
  for (const DataSet& set : job.test_datasets)
    if (!names.insert(set.shown_name()).second)
      fail(ExitCode::configuration, "{}: two sets to evaluate on are named {}; give one another name", where,
           set.shown_name());
  check_best_metric(job, where);
}

void check_values(const JobSpec& job, const std::string& where) {
  if (job.base_model.empty())
    fail(ExitCode::configuration, "{}: base_model is missing: the folder of a model", where);
  if (job.datasets.empty())
    fail(ExitCode::configuration, "{}: datasets is missing: a list with at least one path", where);
  const auto tokens = std::count_if(job.datasets.begin(), job.datasets.end(),
                                    [](const DataSet& set) { return set.is_token_array(); });
  if (tokens > 0 && job.datasets.size() > 1)
    fail(ExitCode::configuration, "{}: a dataset of type tokens stands alone; datasets lists {}", where,
         job.datasets.size());
  if (tokens > 0 && job.sample_packing)
    fail(ExitCode::configuration, "{}: sample_packing is for text; rows of type tokens are whole", where);
  if (tokens > 0 &&
      (job.val_set_size > 0 || job.dataset_exact_deduplication || !job.dataset_prepared_path.empty()))
    fail(ExitCode::configuration,
         "{}: val_set_size, dataset_exact_deduplication and dataset_prepared_path are for text, not for an "
         "array of tokens",
         where);
  check_evaluation(job, where);
  if (job.val_set_size > 1 && job.val_set_size != std::floor(job.val_set_size))
    fail(ExitCode::configuration, "{}: val_set_size must be a share below 1 or a whole number of documents",
         where);
  if ((job.chat_template == "jinja") != !job.chat_template_jinja.empty())
    fail(ExitCode::configuration, "{}: chat_template: jinja and chat_template_jinja go together", where);
  if (!(job.learning_rate > 0)) fail(ExitCode::configuration, "{}: learning_rate is missing or 0", where);
  const bool has_adapter = job.adapter != "none";
  if (has_adapter && job.lora_target_linear && !job.lora_target_modules.empty())
    fail(ExitCode::configuration,
         "{}: lora_target_linear: true and a list lora_target_modules are both given; keep one", where);
  if (job.load_in_4bit && !has_adapter)
    fail(ExitCode::configuration,
         "{}: load_in_4bit freezes the model, and there is no adapter to train; add adapter: qlora", where);
  if (!has_adapter && !job.lora_model_dir.empty())
    fail(ExitCode::configuration, "{}: lora_model_dir is given but adapter is none; add adapter: lora",
         where);
  if (job.offload.part_elements % 256 != 0)
    fail(ExitCode::configuration, "{}: offload.part_elements = {} is not a multiple of 256", where,
         job.offload.part_elements);
  if (job.output_dir.empty()) fail(ExitCode::configuration, "{}: output_dir is empty", where);
  if (job.warmup_steps > 0 && job.warmup_ratio > 0)
    fail(ExitCode::configuration, "{}: warmup_steps and warmup_ratio are both given; keep one", where);
  if (job.lr_scheduler == "constant" && (job.warmup_steps > 0 || job.warmup_ratio > 0))
    fail(ExitCode::configuration, "{}: lr_scheduler: constant has no warm-up; use constant_with_warmup",
         where);
  if (job.lr_scheduler == "one_cycle" && (job.warmup_steps > 0 || job.warmup_ratio > 0))
    fail(ExitCode::configuration,
         "{}: lr_scheduler: one_cycle rises on its own over its first 30 %; leave warmup_steps and "
         "warmup_ratio out",
         where);
  if (job.cosine_min_lr_ratio > 0 && job.lr_scheduler != "cosine")
    fail(ExitCode::configuration, "{}: cosine_min_lr_ratio is for lr_scheduler: cosine, not {}", where,
         job.lr_scheduler);
  if (job.sgd_momentum > 0 && job.optimizer != "sgd")
    fail(ExitCode::configuration, "{}: sgd_momentum is for optimizer: sgd, not {}", where, job.optimizer);
  if (job.max_steps > 0 && job.warmup_steps > job.max_steps)
    fail(ExitCode::configuration, "{}: warmup_steps = {} is more than max_steps = {}", where,
         job.warmup_steps, job.max_steps);
}

/// What Axolotl and peft choose where a job says nothing, said aloud.
void say_adapter_defaults(JobSpec& job) {
  if (job.adapter == "none") return;
  const auto aloud = [&](const char* key, std::string value, const char* whose) {
    if (!job.said.contains(key))
      job.notes.push_back(fmt::format("{} is not given: {}, {}", key, value, whose));
  };
  aloud("lora_r", fmt::format("{}", job.lora_r), "peft's default");
  aloud("lora_alpha", fmt::format("{}", job.lora_alpha), "the value of Axolotl's examples; peft's own is 8");
  aloud("lora_dropout", fmt::format("{}", job.lora_dropout), "Axolotl's default");
  if (job.lora_target_linear || !job.lora_target_modules.empty()) return;
  job.lora_target_modules = {"q_proj", "v_proj"};
  job.notes.emplace_back(
      "neither lora_target_linear nor lora_target_modules is given: q_proj and v_proj, which peft takes for "
      "Llama and its kin");
}

void check_precision(JobSpec& job, const std::string& where) {
  if (!job.fp16) return;
  if (job.bf16 == "true") fail(ExitCode::configuration, "{}: fp16 and bf16 are both true; keep one", where);
  if (job.bf16 == "auto") job.bf16 = "false";
}

}  // namespace

void check(JobSpec& job, const std::string& where) {
  if (job.adapter == "qlora") job.load_in_4bit = true;
  say_adapter_defaults(job);
  check_precision(job, where);
  // As transformers calls it, and so files for Axolotl.
  if (job.metric_for_best_model == "eval_loss") job.metric_for_best_model = "loss";
  check_values(job, where);
}

void say_other_defaults(JobSpec& job) {
  const auto absent = [&](const char* key) { return !job.said.contains(key); };
  if (absent("warmup_steps") && absent("warmup_ratio") && job.lr_scheduler != "constant" &&
      job.lr_scheduler != "one_cycle")
    job.notes.emplace_back(
        "neither warmup_steps nor warmup_ratio is given: the rate starts at its peak (Axolotl warms up over "
        "3 % "
        "of the steps, at most 100)");
  if (absent("save_steps") && absent("saves_per_epoch"))
    job.notes.emplace_back(
        "save_steps is not given: a checkpoint at the end and when a signal comes (Axolotl saves after each "
        "epoch)");
}

}  // namespace trireme::jobs
