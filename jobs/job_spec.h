#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "io/data/prompt_format.h"
#include "sharding/placement.h"

namespace trireme::jobs {

struct DataSet {
  std::string path;
  std::string name;  ///< of a set to evaluate on; empty: that of its file
  /// "tokens", a named prompt format, or "custom" where `type` is a mapping.
  std::string type = "tokens";
  io::PromptFormat format;
  std::int64_t start = 0, end = 0;  ///< rows; end 0: the last
  bool skip_bad_rows = false;
  double weight = 1;  ///< how often an epoch has each of its documents
  std::string ds_type = "auto", sample_by = "line";
  bool operator==(const DataSet&) const = default;

  /// Its name, or that of its file without the ending.
  std::string shown_name() const;
  /// Token ids in an array of NumPy's; rows of JSON may hold tokens too.
  bool is_token_array() const {
    return type == "tokens" && !path.ends_with(".jsonl") && !path.ends_with(".json");
  }
};

struct ScheduleChoice {
  std::string order = "micro_batch_major";
  std::int64_t prefetch_depth = 1;
  std::int64_t reduce_depth = -1;  ///< -1: 1, or 0 where no core is left to reduce beside backward
  std::int64_t input_depth = 1;
  std::int64_t vocabulary_chunk = 0;  ///< rows; 0: as many as fit a block's slot, where that saves memory
  bool operator==(const ScheduleChoice&) const = default;
};

/// How tiers other than the device are made.
struct OffloadChoice {
  bool pin = true;
  std::string nvme_paths;  ///< folders, one on each drive, with commas between; empty: slurm.scratch
  std::string nvme_backend = "auto";
  std::int64_t nvme_depth = 32;
  std::int64_t part_elements = 4 << 20;
  std::int64_t parts_in_memory = 0;  ///< 0: as many as keep nvme_depth requests on their way
  std::int64_t update_threads = 0;   ///< 0: as many as the rank computes with
  bool operator==(const OffloadChoice&) const = default;
};

/// A preset, and what is said otherwise: "parameters.span" to "node" and the like.
struct PlacementChoice {
  std::string preset = "ddp";
  std::map<std::string, std::string> said;
  bool operator==(const PlacementChoice&) const = default;
};

/// How fp16 gradients are kept inside their range; DeepSpeed's fields and Axolotl's usual values.
struct LossScaleChoice {
  std::int64_t initial_power = 16;
  std::int64_t window = 1000;
  std::int64_t hysteresis = 2;
  double minimum = 1;
  bool operator==(const LossScaleChoice&) const = default;
};

/// Parameters whose names hold a match of the expression decay by another weight.
struct DecayGroup {
  std::string match;
  double weight_decay = 0;
  bool operator==(const DecayGroup&) const = default;
};

struct CheckpointChoice {
  bool asynchronous = true;
  std::string reread = "sampled";
  std::int64_t keep_every = 0;
  bool keep_best = false;
  bool operator==(const CheckpointChoice&) const = default;
};

struct SlurmChoice {
  std::int64_t nodes = 1;
  std::int64_t ranks_per_node = 1;
  std::int64_t gpus_per_node = 0;  ///< 0: the site's default
  std::int64_t cpus_per_rank = 0;
  std::string name = "trireme";
  std::string memory_per_node, time_limit, partition, account, qos, reservation, constraint, dependency,
      exclude;
  std::string container, container_program, scratch;
  std::string binding;  ///< empty: the site's
  std::int64_t warning_seconds = 120;
  std::int64_t fruitless_runs = 3;
  std::int64_t max_requeues = 0;  ///< 0: as often as they help
  bool requeue = true;
  bool find_network = true;
  bool check_nodes = true;
  std::string gpu;  ///< what the plan is made for; empty: what Slurm tells of the nodes
  bool operator==(const SlurmChoice&) const = default;
};

/// A job as its YAML file and the command line say it, defaults filled in: every value is in range, and each
/// is of a feature that exists.
struct JobSpec {
  std::string base_model;
  bool reinit_weights = false;  ///< drawn from the seed; the folder needs no weights
  std::vector<DataSet> datasets;
  std::vector<DataSet> test_datasets;  ///< evaluated on, each by itself
  std::string output_dir = "./run";

  std::int64_t sequence_len = 2048;
  std::int64_t micro_batch_size = 1;
  std::int64_t gradient_accumulation_steps = 1;
  std::int64_t train_batch_size = 0;  ///< 0: as many rows as the ranks' micro-batches hold
  std::int64_t num_epochs = 1;
  std::int64_t max_steps = 0;  ///< 0: as many as the epochs have
  std::int64_t seed = 42;
  bool shuffle_merged_datasets = true;
  bool sample_packing = false;
  bool train_on_inputs = false;
  std::string excess_length_strategy = "drop";
  std::string chat_template = "tokenizer_default";
  std::string chat_template_date = "2024-07-26";
  std::string chat_template_jinja;  ///< a template, or the file of one
  std::vector<std::string> eot_tokens;
  double val_set_size = 0;           ///< below 1 a share of the documents, else a number of them
  std::int64_t eval_steps = 0;       ///< 0: at the end alone
  std::int64_t evals_per_epoch = 0;  ///< instead of eval_steps
  std::int64_t eval_generate_rows = 0, eval_max_new_tokens = 128;
  std::string metric_for_best_model;  ///< empty: the first set's loss
  std::int64_t early_stopping_patience = 0;
  double early_stopping_threshold = 0;
  bool dataset_exact_deduplication = false;
  std::string dataset_prepared_path;   ///< empty: text is tokenised at each start
  std::int64_t dataset_processes = 0;  ///< 0: as many as the rank has cores

  std::string adapter = "none";
  std::int64_t lora_r = 8;
  double lora_alpha = 16.0, lora_dropout = 0.0;
  bool lora_target_linear = false, peft_use_rslora = false;
  bool load_in_4bit = false;
  std::vector<std::string> lora_target_modules;
  std::string lora_model_dir;  ///< an adapter in peft's format to start from

  std::string optimizer = "adamw_torch";
  double learning_rate = 0.0;
  double weight_decay = 0.0;
  std::vector<DecayGroup> weight_decay_groups;  ///< the first that matches counts
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  double sgd_momentum = 0.0;
  double max_grad_norm = 1.0;  ///< 0: no clipping
  std::string lr_scheduler = "cosine";
  double cosine_min_lr_ratio = 0.0;
  std::int64_t warmup_steps = 0;
  double warmup_ratio = 0.0;

  std::string device = "auto";
  std::string bf16 = "auto";
  bool fp16 = false;
  bool tf32 = false;
  LossScaleChoice loss_scale;
  std::string on_non_finite = "stop";
  std::int64_t non_finite_limit = 10;
  std::string on_loss_spike = "ignore";
  double loss_spike_factor = 2.0;
  bool deterministic = false;
  bool use_tensorboard = false;
  bool gradient_checkpointing = false;
  std::int64_t logging_steps = 1;
  std::int64_t record_step = 3;      ///< of each start; 0: none
  std::int64_t save_steps = 0;       ///< 0: at the end alone
  std::int64_t saves_per_epoch = 0;  ///< instead of save_steps
  std::int64_t save_total_limit = 2;
  std::int64_t hang_time_limit = 600;  ///< 0: nobody watches

  PlacementChoice placement;
  ScheduleChoice schedule;
  CheckpointChoice checkpoint;
  OffloadChoice offload;
  SlurmChoice slurm;

  /// What the reader decided on its own, one sentence each.
  std::vector<std::string> notes;
  /// Where each key that somebody wrote was written: "job.yaml, line 5", "command line".
  std::map<std::string, std::string> said;
};

/// The table of the placement section, with `compute` as the type of the parameters where none is said.
sharding::Placement placement_of(const JobSpec& job, sharding::Codec compute);

}  // namespace trireme::jobs
