#include "jobs/imports/axolotl_keys.h"

#include <initializer_list>

namespace trireme::jobs {
namespace {

using Keys = std::vector<ForeignKey>;

void add(Keys& keys, ForeignKey::Fate fate, std::string_view note,
         std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) keys.push_back({name, fate, "", note});
}

Keys noted_keys() {
  Keys keys;
  add(keys, ForeignKey::Fate::noted, "the model's own config.json says what it is",
      {"base_model_config", "model_type", "tokenizer_type", "tokenizer_config", "tokenizer_use_fast",
       "tokenizer_legacy", "is_llama_derived_model", "is_falcon_derived_model", "is_mistral_derived_model",
       "is_qwen_derived_model", "processor_type"});
  add(keys, ForeignKey::Fate::noted, "each rank always reads its own slices alone",
      {"low_cpu_mem_usage", "lora_on_cpu", "device_map", "max_memory"});
  add(keys, ForeignKey::Fate::noted, "memory follows from the placement", {"gpu_memory_limit"});
  add(keys, ForeignKey::Fate::noted, "attention is always the fused one of the device",
      {"flash_attn_cross_entropy", "flash_attn_rms_norm", "flash_attn_fuse_qkv", "flash_attn_fuse_mlp",
       "xformers_attention", "eager_attention", "flex_attention", "flash_optimum", "attn_implementation"});
  add(keys, ForeignKey::Fate::noted, "fused operations need no switch",
      {"liger_rope", "liger_rms_norm", "liger_glu_activation", "liger_layer_norm", "liger_swiglu",
       "liger_cross_entropy", "liger_fused_linear_cross_entropy", "cut_cross_entropy", "lora_mlp_kernel",
       "lora_qkv_kernel", "lora_o_kernel", "unsloth_lora_mlp", "unsloth_lora_qkv", "unsloth_lora_o",
       "unsloth_rms_norm", "unsloth_rope", "unsloth_cross_entropy_loss"});
  add(keys, ForeignKey::Fate::noted, "there are no plugins; what they fuse is built in", {"plugins"});
  add(keys, ForeignKey::Fate::noted, "nothing is compiled at run time",
      {"torch_compile", "torch_compile_backend", "torch_compile_mode"});
  add(keys, ForeignKey::Fate::noted, "metrics go to metrics.jsonl",
      {"include_tokens_per_second", "include_tkps"});
  add(keys, ForeignKey::Fate::noted, "models are written as safetensors", {"save_safetensors"});
  add(keys, ForeignKey::Fate::noted, "rows come from threads of the rank itself",
      {"dataset_keep_in_memory", "dataloader_num_workers", "dataloader_pin_memory",
       "dataloader_prefetch_factor", "dataset_num_proc"});
  add(keys, ForeignKey::Fate::noted, "the last step of an epoch is filled with rows that are not scored",
      {"dataloader_drop_last"});
  add(keys, ForeignKey::Fate::noted, "columns that no format names are not read", {"remove_unused_columns"});
  add(keys, ForeignKey::Fate::noted, "packing is best fit over all documents",
      {"sample_packing_eff_est", "sample_packing_group_size", "sample_packing_bin_size",
       "sample_packing_sequentially", "total_num_tokens", "multipack_real_batches"});
  add(keys, ForeignKey::Fate::noted, "gradient_checkpointing recomputes whole blocks",
      {"gradient_checkpointing_kwargs", "gradient_checkpointing_kwargs.use_reentrant"});
  add(keys, ForeignKey::Fate::noted, "gradients lie in flat buffers and are reduced by block",
      {"ddp_bucket_cap_mb", "ddp_broadcast_buffers", "ddp_find_unused_parameters"});
  add(keys, ForeignKey::Fate::noted, "hang_time_limit says how long a rank may be waited for",
      {"ddp_timeout"});
  add(keys, ForeignKey::Fate::noted, "MPI or Slurm tells each rank its place", {"local_rank"});
  add(keys, ForeignKey::Fate::noted, "keys are always strict", {"strict"});
  add(keys, ForeignKey::Fate::noted, "it changes what is printed, not what is trained",
      {"debug", "profiler_steps"});
  add(keys, ForeignKey::Fate::noted, "GPT-2's transposed layers are known by the model",
      {"lora_fan_in_fan_out"});
  add(keys, ForeignKey::Fate::noted, "rows are padded, never the model", {"is_preprocess"});
  add(keys, ForeignKey::Fate::noted, "evaluations have the rows that training has", {"eval_batch_size"});
  add(keys, ForeignKey::Fate::noted, "eval_generate_rows says how many answers are written and scored",
      {"eval_table_size"});
  return keys;
}

Keys refused_ones() {
  Keys keys;
  add(keys, ForeignKey::Fate::refused, "there is no preference tuning yet",
      {"rl", "dpo_beta", "kto_desirable_weight", "kto_undesirable_weight", "orpo_alpha", "rl_beta",
       "simpo_gamma", "trl", "reward_model", "process_reward_model", "dpo_use_weighting",
       "dpo_label_smoothing"});
  add(keys, ForeignKey::Fate::refused, "eval_generate_rows asks for exact match and ROUGE-L instead",
      {"eval_causal_lm_metrics", "do_causal_lm_eval", "do_bench_eval", "bench_dataset"});
  add(keys, ForeignKey::Fate::refused, "say it with eval_steps, test_datasets and val_set_size",
      {"eval_strategy", "evaluation_strategy", "eval_on_start", "do_eval"});
  add(keys, ForeignKey::Fate::refused,
      "checkpoint.keep_best keeps the best one, and trireme export --best writes it",
      {"load_best_model_at_end"});
  add(keys, ForeignKey::Fate::refused, "it follows from metric_for_best_model", {"greater_is_better"});
  add(keys, ForeignKey::Fate::refused, "data is read from files; list it under datasets with type completion",
      {"pretraining_dataset"});
  add(keys, ForeignKey::Fate::refused, "one epoch sees each row once, however often its text occurs",
      {"dataset_exact_deduplication"});
  add(keys, ForeignKey::Fate::refused, "nothing is uploaded",
      {"push_dataset_to_hub", "hub_strategy", "hf_use_auth_token", "push_to_hub", "hub_private_repo"});
  add(keys, ForeignKey::Fate::refused, "give each run its rows with start and end of the data set",
      {"dataset_shard_num", "dataset_shard_idx"});
  add(keys, ForeignKey::Fate::refused, "the vocabulary is that of the model",
      {"resize_token_embeddings_to_32x", "shrink_embeddings", "mean_resizing_embeddings",
       "added_tokens_overrides"});
  add(keys, ForeignKey::Fate::refused, "the model is trained as its config.json says",
      {"overrides_of_model_config", "overrides_of_model_kwargs", "rope_scaling"});
  add(keys, ForeignKey::Fate::refused, "quantised base weights have one form, nf4 in blocks of 64",
      {"gptq", "gptq_disable_exllama", "bnb_config_kwargs", "awq"});
  add(keys, ForeignKey::Fate::refused, "adapters are plain LoRA so far",
      {"peft_use_dora", "peft", "loraplus_lr_ratio", "loraplus_lr_embedding", "relora_steps",
       "relora_warmup_steps", "relora_anneal_steps", "relora_cpu_offload", "relora", "lora_modules_to_save",
       "peft_layers_to_transform", "peft_layers_pattern", "peft_init_lora_weights", "llama_adapter",
       "lora_bias", "qat"});
  add(keys, ForeignKey::Fate::refused, "there is one rate for all parameters",
      {"lr_groups", "embedding_lr", "embedding_lr_scale"});
  add(keys, ForeignKey::Fate::refused, "name what it does with lr_scheduler",
      {"lr_scheduler_kwargs", "lr_quadratic_warmup", "lr_div_factor", "cosine_constant_lr_ratio",
       "one_cycle"});
  add(keys, ForeignKey::Fate::refused, "optimizers have no settings beyond their own keys",
      {"optim_args", "optim_target_modules", "adam_epsilon2", "adam_beta3", "galore_rank"});
  add(keys, ForeignKey::Fate::refused, "it is not there",
      {"neftune_noise_alpha", "noisy_embedding_alpha", "s2_attention", "group_by_length",
       "curriculum_sampling", "unfrozen_parameters", "torchdistx_path", "use_ray", "ray_num_workers",
       "ray_run_name", "spectrum_top_fraction", "mixture_of_depths", "save_only_model",
       "loss_watchdog_threshold", "loss_watchdog_patience", "gc_steps", "noisy_embeddings",
       "batch_flattening"});
  add(keys, ForeignKey::Fate::refused, "sequences and layers are not split over ranks; name a placement",
      {"sequence_parallel_degree", "context_parallel_size", "tensor_parallel_size", "expert_parallel_size",
       "heads_k_stride", "ring_attn_func"});
  add(keys, ForeignKey::Fate::refused, "name a placement (zero3, hsdp) instead",
      {"dp_shard_size", "dp_replicate_size"});
  add(keys, ForeignKey::Fate::refused, "say it in the job file's own words: train_batch_size",
      {"batch_size"});
  add(keys, ForeignKey::Fate::refused, "use save_steps", {"save_strategy"});
  add(keys, ForeignKey::Fate::refused, "metrics go to metrics.jsonl; nothing is sent elsewhere",
      {"wandb_mode",
       "wandb_run_id",
       "wandb_log_freq",
       "wandb_run_group",
       "mlflow_tracking_uri",
       "mlflow_experiment_name",
       "mlflow_run_name",
       "hf_mlflow_log_artifacts",
       "use_mlflow",
       "use_comet",
       "comet_api_key",
       "comet_workspace",
       "comet_project_name",
       "comet_experiment_key",
       "comet_mode",
       "comet_online",
       "comet_experiment_config",
       "use_wandb",
       "use_swanlab",
       "swanlab_project"});
  add(keys, ForeignKey::Fate::refused,
      "there is no padding that a model sees; rows are packed or padded at their end", {"padding_side"});
  add(keys, ForeignKey::Fate::refused, "prompts are as the data set's type says",
      {"default_system_message", "chat_template_jinja"});
  add(keys, ForeignKey::Fate::refused, "short rows are kept", {"min_sample_len"});
  return keys;
}

}  // namespace

const std::vector<ForeignKey>& axolotl_keys() {
  static const Keys table = [] {
    Keys all = noted_keys();
    const Keys more = refused_ones();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return table;
}

}  // namespace trireme::jobs
