#include "jobs/keys.h"

namespace trireme::jobs {
namespace {

constexpr double many = 1e12;

std::vector<Key> training_keys() {
  return {
      {"base_model", +[](JobSpec& j) -> std::string& { return j.base_model; },
       "Folder of a Hugging Face model: config.json and safetensors"},
      {"reinit_weights", +[](JobSpec& j) -> bool& { return j.reinit_weights; },
       "Weights are drawn from the seed instead of read: training from nothing, for which base_model needs "
       "config.json and the tokenizer alone"},
      {"output_dir", +[](JobSpec& j) -> std::string& { return j.output_dir; }, "The run folder"},
      {.name = "sequence_len",
       .place = +[](JobSpec& j) -> std::int64_t& { return j.sequence_len; },
       .meaning = "Tokens in one row of a batch",
       .least = 1,
       .most = 1 << 24,
       .aliases = {"sequence_length"}},
      {"micro_batch_size", +[](JobSpec& j) -> std::int64_t& { return j.micro_batch_size; },
       "Rows that a rank computes at once", 1, 1 << 20},
      {"gradient_accumulation_steps",
       +[](JobSpec& j) -> std::int64_t& { return j.gradient_accumulation_steps; },
       "Micro-batches of a rank in one step", 1, 1 << 20},
      {"train_batch_size", +[](JobSpec& j) -> std::int64_t& { return j.train_batch_size; },
       "Rows of a step over all ranks, whatever their number; 0: ranks times micro-batches", 0, 1e9},
      {"num_epochs", +[](JobSpec& j) -> std::int64_t& { return j.num_epochs; }, "Passes over the data", 1,
       1e6},
      {"max_steps", +[](JobSpec& j) -> std::int64_t& { return j.max_steps; },
       "Ends after this many steps; 0: when the epochs are done", 0, many},
      {"seed", +[](JobSpec& j) -> std::int64_t& { return j.seed; }, "Of all randomness", 0, 9007199254740991},
      {"shuffle_merged_datasets", +[](JobSpec& j) -> bool& { return j.shuffle_merged_datasets; },
       "Samples in an order drawn from the seed; false: as they lie in the files"},
      {"sample_packing", +[](JobSpec& j) -> bool& { return j.sample_packing; },
       "Several documents share a row, each of which attends to itself alone"},
      {"train_on_inputs", +[](JobSpec& j) -> bool& { return j.train_on_inputs; },
       "Prompts are scored too, not the outputs alone"},
      {.name = "excess_length_strategy",
       .place = +[](JobSpec& j) -> std::string& { return j.excess_length_strategy; },
       .meaning =
           "What becomes of a prompt and output longer than sequence_len; a completion is always split",
       .choices = {"drop", "truncate", "split"}},
      {"chat_template", +[](JobSpec& j) -> std::string& { return j.chat_template; },
       "How conversations become text: tokenizer_default (the model's own), chatml, llama3, or jinja"},
      {"chat_template_date", +[](JobSpec& j) -> std::string& { return j.chat_template_date; },
       "The day that strftime_now tells a chat template: today, or a day like 2024-07-26"},
      {"val_set_size", +[](JobSpec& j) -> double& { return j.val_set_size; },
       "Documents kept for evaluation: a share below 1, or a number of them", 0, 1e9},
      {"eval_steps", +[](JobSpec& j) -> std::int64_t& { return j.eval_steps; },
       "Steps between evaluations; 0: at the end alone", 0, many},
      {"evals_per_epoch", +[](JobSpec& j) -> std::int64_t& { return j.evals_per_epoch; },
       "Evaluations in each epoch, instead of eval_steps", 0, 1e6},
      {"eval_generate_rows", +[](JobSpec& j) -> std::int64_t& { return j.eval_generate_rows; },
       "Rows of each evaluation set that the model also answers in its own words, for exact match and "
       "ROUGE-L; 0: none",
       0, 1e6},
      {"eval_max_new_tokens", +[](JobSpec& j) -> std::int64_t& { return j.eval_max_new_tokens; },
       "No answer is longer", 1, 1 << 20},
      {"metric_for_best_model", +[](JobSpec& j) -> std::string& { return j.metric_for_best_model; },
       "What the best checkpoint and early stopping go by: loss, token_accuracy, exact_match or rouge_l, of "
       "the "
       "first set or of a named one (NAME/loss); empty: the first set's loss"},
      {"early_stopping_patience", +[](JobSpec& j) -> std::int64_t& { return j.early_stopping_patience; },
       "Evaluations in a row without improvement after which the run ends; 0: never", 0, 1e6},
      {"early_stopping_threshold", +[](JobSpec& j) -> double& { return j.early_stopping_threshold; },
       "A smaller change is no improvement", 0, 1e6},
      {"dataset_exact_deduplication", +[](JobSpec& j) -> bool& { return j.dataset_exact_deduplication; },
       "Of equal documents the first alone is kept"},
      {"dataset_prepared_path", +[](JobSpec& j) -> std::string& { return j.dataset_prepared_path; },
       "Folder of tokens that trireme prepare writes and training reads; empty: text is tokenised at each "
       "start"},
      {"dataset_processes", +[](JobSpec& j) -> std::int64_t& { return j.dataset_processes; },
       "Threads that tokenise; 0: as many as the rank has cores", 0, 4096},
      {.name = "adapter",
       .place = +[](JobSpec& j) -> std::string& { return j.adapter; },
       .meaning = "lora: the model is frozen and low-rank adapters are trained; qlora: with load_in_4bit",
       .choices = {"none", "lora", "qlora"}},
      {"load_in_4bit", +[](JobSpec& j) -> bool& { return j.load_in_4bit; },
       "The frozen linear layers of the blocks are kept in 4 bits (NF4, double quantisation)"},
      {"lora_r", +[](JobSpec& j) -> std::int64_t& { return j.lora_r; }, "Rank of the adapters", 1, 65536},
      {"lora_alpha", +[](JobSpec& j) -> double& { return j.lora_alpha; },
       "Adapters are scaled by lora_alpha / lora_r", 0, 1e6},
      {"lora_dropout", +[](JobSpec& j) -> double& { return j.lora_dropout; },
       "Share of an adapter's inputs that is dropped in training", 0, 0.99},
      {"lora_target_linear", +[](JobSpec& j) -> bool& { return j.lora_target_linear; },
       "Every linear layer of the blocks gets an adapter"},
      {"peft_use_rslora", +[](JobSpec& j) -> bool& { return j.peft_use_rslora; },
       "Adapters are scaled by lora_alpha / sqrt(lora_r)"},
      {"lora_model_dir", +[](JobSpec& j) -> std::string& { return j.lora_model_dir; },
       "Folder of an adapter in peft's format to start from"},
      {.name = "optimizer",
       .place = +[](JobSpec& j) -> std::string& { return j.optimizer; },
       .meaning = "How gradients change the parameters",
       .choices = {"adamw_torch", "adamw_torch_fused", "adamw_bnb_8bit", "adamw_8bit", "paged_adamw",
                   "paged_adamw_32bit", "paged_adamw_8bit", "sgd"}},
      {"learning_rate", +[](JobSpec& j) -> double& { return j.learning_rate; }, "The highest of the run", 0,
       1e3},
      {"weight_decay", +[](JobSpec& j) -> double& { return j.weight_decay; }, "Decoupled, of every parameter",
       0, 1e3},
      {"adam_beta1", +[](JobSpec& j) -> double& { return j.adam_beta1; }, "Decay of the first moment", 0,
       0.9999999},
      {"adam_beta2", +[](JobSpec& j) -> double& { return j.adam_beta2; }, "Decay of the second moment", 0,
       0.9999999},
      {"adam_epsilon", +[](JobSpec& j) -> double& { return j.adam_epsilon; },
       "Added to the root of the second moment", 1e-30, 1},
      {"sgd_momentum", +[](JobSpec& j) -> double& { return j.sgd_momentum; }, "Momentum of optimizer: sgd", 0,
       0.9999999},
      {"max_grad_norm", +[](JobSpec& j) -> double& { return j.max_grad_norm; },
       "Gradients are scaled down to this norm; 0: never", 0, 1e30},
      {.name = "lr_scheduler",
       .place = +[](JobSpec& j) -> std::string& { return j.lr_scheduler; },
       .meaning = "How the learning rate goes on after warm-up",
       .choices = {"cosine", "linear", "constant", "constant_with_warmup", "one_cycle"}},
      {"cosine_min_lr_ratio", +[](JobSpec& j) -> double& { return j.cosine_min_lr_ratio; },
       "Share of learning_rate that cosine ends at", 0, 1},
      {"warmup_steps", +[](JobSpec& j) -> std::int64_t& { return j.warmup_steps; }, "Steps of linear rise", 0,
       many},
      {"warmup_ratio", +[](JobSpec& j) -> double& { return j.warmup_ratio; },
       "The same as a share of all steps", 0, 1},
      {.name = "device",
       .place = +[](JobSpec& j) -> std::string& { return j.device; },
       .meaning =
           "What training, evaluation and generation compute on; auto: a GPU for each rank where there "
           "is one, else the CPU",
       .choices = {"auto", "cpu", "cuda"}},
      {.name = "bf16",
       .place = +[](JobSpec& j) -> std::string& { return j.bf16; },
       .meaning = "Compute in bf16; auto: where the device is faster with it",
       .choices = {"auto", "true", "false"}},
      {"fp16", +[](JobSpec& j) -> bool& { return j.fp16; },
       "Compute in fp16, with a loss scale that follows overflows"},
      {"tf32", +[](JobSpec& j) -> bool& { return j.tf32; },
       "Products of fp32 matrices are made in TF32 on GPUs; on CPUs it changes nothing"},
      {.name = "on_non_finite",
       .place = +[](JobSpec& j) -> std::string& { return j.on_non_finite; },
       .meaning = "What becomes of a step whose loss or gradient is not finite: the run stops, the step is "
                  "skipped, or it is skipped and the learning rate halved, down to a 64th; every 100 sound "
                  "steps in a "
                  "row take one halving back",
       .choices = {"stop", "skip", "back_off"}},
      {"non_finite_limit", +[](JobSpec& j) -> std::int64_t& { return j.non_finite_limit; },
       "So many such steps in a row end the run whatever on_non_finite says", 1, 1e9},
      {.name = "on_loss_spike",
       .place = +[](JobSpec& j) -> std::string& { return j.on_loss_spike; },
       .meaning =
           "The same for a step whose loss is more than loss_spike_factor times the mean of about the last "
           "50 sound ones; ignore: it is a step like others",
       .choices = {"ignore", "stop", "skip", "back_off"}},
      {"loss_spike_factor", +[](JobSpec& j) -> double& { return j.loss_spike_factor; },
       "How many times the mean of the losses before it a loss must be to be a spike", 1.01, 1e6},
      {"deterministic", +[](JobSpec& j) -> bool& { return j.deterministic; },
       "Operations of which the result could differ from run to run are refused"},
      {"use_tensorboard", +[](JobSpec& j) -> bool& { return j.use_tensorboard; },
       "Event files for TensorBoard beside metrics.jsonl, in tensorboard/ of the run folder"},
      {"gradient_checkpointing", +[](JobSpec& j) -> bool& { return j.gradient_checkpointing; },
       "Blocks are computed again in backward instead of kept"},
      {"logging_steps", +[](JobSpec& j) -> std::int64_t& { return j.logging_steps; },
       "Steps between lines on the console", 1, many},
      {"record_step", +[](JobSpec& j) -> std::int64_t& { return j.record_step; },
       "Which step of each start the first rank records for the report, over the foretold one; 0: none", 0,
       many},
      {"save_steps", +[](JobSpec& j) -> std::int64_t& { return j.save_steps; },
       "Steps between checkpoints; 0: at the end alone", 0, many},
      {"saves_per_epoch", +[](JobSpec& j) -> std::int64_t& { return j.saves_per_epoch; },
       "Checkpoints in each epoch, instead of save_steps", 0, 1e6},
      {"save_total_limit", +[](JobSpec& j) -> std::int64_t& { return j.save_total_limit; },
       "How many of the newest checkpoints are kept", 1, 1e6},
      {"hang_time_limit", +[](JobSpec& j) -> std::int64_t& { return j.hang_time_limit; },
       "Seconds without progress after which the run ends with 124 and the culprit named; 0: never", 0, 1e6},
  };
}

std::vector<Key> schedule_keys() {
  return {
      {.name = "schedule.order",
       .place = +[](JobSpec& j) -> std::string& { return j.schedule.order; },
       .meaning = "What passes first: a micro-batch through all units, or all micro-batches through a unit",
       .choices = {"micro_batch_major", "unit_major"}},
      {"schedule.prefetch_depth", +[](JobSpec& j) -> std::int64_t& { return j.schedule.prefetch_depth; },
       "How many units ahead parameters are gathered", 0, 1000},
      {"schedule.reduce_depth", +[](JobSpec& j) -> std::int64_t& { return j.schedule.reduce_depth; },
       "How many units' gradients may wait for their reduction; -1: 1, or 0 on one host with a rank on each "
       "core",
       -1, 1000},
      {"schedule.input_depth", +[](JobSpec& j) -> std::int64_t& { return j.schedule.input_depth; },
       "How many units ahead of its backward an input comes back from the host (placement.activation_tier)",
       0, 1000},
      {"schedule.vocabulary_chunk", +[](JobSpec& j) -> std::int64_t& { return j.schedule.vocabulary_chunk; },
       "Rows of the embedding and of the head that are gathered at a time; 0: what saves memory", 0, many},
  };
}

std::vector<Key> loss_scale_keys() {
  return {
      {"loss_scale.initial_power", +[](JobSpec& j) -> std::int64_t& { return j.loss_scale.initial_power; },
       "The first scale is 2 to this power", 0, 64},
      {"loss_scale.window", +[](JobSpec& j) -> std::int64_t& { return j.loss_scale.window; },
       "Steps without overflow after which the scale doubles", 1, 1e9},
      {"loss_scale.hysteresis", +[](JobSpec& j) -> std::int64_t& { return j.loss_scale.hysteresis; },
       "Overflows before the scale is halved", 1, 1e6},
      {"loss_scale.minimum", +[](JobSpec& j) -> double& { return j.loss_scale.minimum; },
       "The least scale; an overflow there ends the run", 1e-30, 1e30},
  };
}

std::vector<Key> checkpoint_keys() {
  return {
      {"checkpoint.asynchronous", +[](JobSpec& j) -> bool& { return j.checkpoint.asynchronous; },
       "Training goes on while a copy of the state is written; false: it waits, and no copy is kept"},
      {.name = "checkpoint.reread",
       .place = +[](JobSpec& j) -> std::string& { return j.checkpoint.reread; },
       .meaning = "How much of each file is read back from the disk and compared",
       .choices = {"sampled", "whole"}},
      {"checkpoint.keep_every", +[](JobSpec& j) -> std::int64_t& { return j.checkpoint.keep_every; },
       "Checkpoints whose step is a multiple of it stay beside the newest; 0: none", 0, many},
      {"checkpoint.keep_best", +[](JobSpec& j) -> bool& { return j.checkpoint.keep_best; },
       "The best checkpoint stays too: by metric_for_best_model, and one is saved whenever an evaluation is "
       "the "
       "best so far; without evaluations by the mean loss since the one before"},
  };
}

std::vector<Key> offload_keys() {
  return {
      {"offload.pin", +[](JobSpec& j) -> bool& { return j.offload.pin; },
       "Host memory of tiers is locked where the memlock limit allows it"},
      {"offload.nvme_paths", +[](JobSpec& j) -> std::string& { return j.offload.nvme_paths; },
       "Folders for state on NVMe, one on each drive, with commas between; slurm.scratch where none is "
       "given"},
      {.name = "offload.nvme_backend",
       .place = +[](JobSpec& j) -> std::string& { return j.offload.nvme_backend; },
       .meaning =
           "How drives are read and written; auto: io_uring where it is allowed; cufile: straight into "
           "GPU memory",
       .choices = {"auto", "io_uring", "threads", "cufile"}},
      {"offload.nvme_depth", +[](JobSpec& j) -> std::int64_t& { return j.offload.nvme_depth; },
       "Requests on their way at once", 1, 4096},
      {"offload.part_elements", +[](JobSpec& j) -> std::int64_t& { return j.offload.part_elements; },
       "State on NVMe is updated in parts of so many elements, a multiple of 256", 256, 1 << 30},
      {"offload.parts_in_memory", +[](JobSpec& j) -> std::int64_t& { return j.offload.parts_in_memory; },
       "Parts that are being read, updated and written at once; 0: as many as nvme_depth wants, and where "
       "updates wait for a norm what half of the free memory holds",
       0, 65536},
      {"offload.update_threads", +[](JobSpec& j) -> std::int64_t& { return j.offload.update_threads; },
       "Threads that share an update; 0: as many as the rank computes with", 0, 4096},
  };
}

std::vector<Key> slurm_keys() {
  return {
      {"slurm.name", +[](JobSpec& j) -> std::string& { return j.slurm.name; }, "The job's name in the queue"},
      {"slurm.nodes", +[](JobSpec& j) -> std::int64_t& { return j.slurm.nodes; }, "Nodes to ask for", 1, 1e5},
      {"slurm.ranks_per_node", +[](JobSpec& j) -> std::int64_t& { return j.slurm.ranks_per_node; },
       "Ranks on each, usually one a GPU", 1, 1024},
      {"slurm.gpus_per_node", +[](JobSpec& j) -> std::int64_t& { return j.slurm.gpus_per_node; },
       "GPUs on each; 0: none are asked for", 0, 1024},
      {"slurm.cpus_per_rank", +[](JobSpec& j) -> std::int64_t& { return j.slurm.cpus_per_rank; },
       "Cores for each rank; 0: the site's default", 0, 4096},
      {"slurm.memory_per_node", +[](JobSpec& j) -> std::string& { return j.slurm.memory_per_node; },
       "As for sbatch --mem"},
      {"slurm.time_limit", +[](JobSpec& j) -> std::string& { return j.slurm.time_limit; },
       "As for sbatch --time"},
      {"slurm.partition", +[](JobSpec& j) -> std::string& { return j.slurm.partition; },
       "As for sbatch --partition"},
      {"slurm.account", +[](JobSpec& j) -> std::string& { return j.slurm.account; },
       "As for sbatch --account"},
      {"slurm.qos", +[](JobSpec& j) -> std::string& { return j.slurm.qos; }, "As for sbatch --qos"},
      {"slurm.reservation", +[](JobSpec& j) -> std::string& { return j.slurm.reservation; },
       "As for sbatch --reservation"},
      {"slurm.constraint", +[](JobSpec& j) -> std::string& { return j.slurm.constraint; },
       "As for sbatch --constraint"},
      {"slurm.dependency", +[](JobSpec& j) -> std::string& { return j.slurm.dependency; },
       "As for sbatch --dependency"},
      {"slurm.exclude", +[](JobSpec& j) -> std::string& { return j.slurm.exclude; },
       "Nodes to stay away from"},
      {"slurm.container", +[](JobSpec& j) -> std::string& { return j.slurm.container; },
       "An Apptainer image"},
      {"slurm.container_program", +[](JobSpec& j) -> std::string& { return j.slurm.container_program; },
       "Where trireme is in that image; empty: this program, which is then shown there"},
      {"slurm.scratch", +[](JobSpec& j) -> std::string& { return j.slurm.scratch; },
       "A folder on each node's own disk"},
      {"slurm.warning_seconds", +[](JobSpec& j) -> std::int64_t& { return j.slurm.warning_seconds; },
       "How long before the time limit the job saves and asks to be requeued", 1, 65535},
      {"slurm.fruitless_runs", +[](JobSpec& j) -> std::int64_t& { return j.slurm.fruitless_runs; },
       "Runs in a row without progress before the job gives up", 1, 1000},
      {.name = "slurm.binding",
       .place = +[](JobSpec& j) -> std::string& { return j.slurm.binding; },
       .meaning = "What a rank is bound to, as srun --cpu-bind says it; empty: the site's default",
       .choices = {"", "none", "cores", "ldoms", "sockets"}},
      {"slurm.max_requeues", +[](JobSpec& j) -> std::int64_t& { return j.slurm.max_requeues; },
       "Times the job may be requeued; 0: as often as it gets on", 0, 1e6},
      {"slurm.find_network", +[](JobSpec& j) -> bool& { return j.slurm.find_network; },
       "The first node's fastest interfaces are told to NCCL, UCX and Open MPI"},
      {"slurm.check_nodes", +[](JobSpec& j) -> bool& { return j.slurm.check_nodes; },
       "Each node's GPUs, disks, clock and link are looked at before the ranks start; bad nodes are left "
       "out"},
      {"slurm.gpu", +[](JobSpec& j) -> std::string& { return j.slurm.gpu; },
       "The kind of GPU, or cpu, that plan and submit count with: h100-80g, rtx4090; empty: what Slurm "
       "tells"},
      {"slurm.requeue", +[](JobSpec& j) -> bool& { return j.slurm.requeue; },
       "Whether it is requeued at all"},
  };
}

}  // namespace

const std::vector<Key>& keys() {
  static const std::vector<Key> table = [] {
    std::vector<Key> all = training_keys();
    for (const auto& more :
         {schedule_keys(), loss_scale_keys(), checkpoint_keys(), offload_keys(), slurm_keys()})
      all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return table;
}

}  // namespace trireme::jobs
