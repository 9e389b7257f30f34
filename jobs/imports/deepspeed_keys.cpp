#include "jobs/imports/deepspeed.h"

namespace trireme::jobs {
namespace {

using Keys = std::vector<ForeignKey>;
constexpr auto same = ForeignKey::Fate::same;
constexpr auto composed = ForeignKey::Fate::composed;
constexpr auto noted = ForeignKey::Fate::noted;
constexpr auto refused = ForeignKey::Fate::refused;

constexpr std::string_view by_unit = "a block of the model is the bucket: nothing is copied into buckets";
constexpr std::string_view by_slots = "parameters live in a fixed ring of slots, which bounds them";
constexpr std::string_view flat = "gradients always lie in flat buffers";
constexpr std::string_view not_for_training = "it changes what is printed, not what is trained";
constexpr std::string_view measured = "the NVMe engine has its own settings";

Keys batch_keys() {
  return {
      {"train_batch_size", same, "train_batch_size"},
      {"train_micro_batch_size_per_gpu", same, "micro_batch_size"},
      {"gradient_accumulation_steps", same, "gradient_accumulation_steps"},
      {"gradient_clipping", same, "max_grad_norm"},
      {"steps_per_print", same, "logging_steps"},
      {"wall_clock_breakdown", noted, "", not_for_training},
      {"memory_breakdown", noted, "", not_for_training},
      {"dump_state", noted, "", not_for_training},
      {"prescale_gradients", noted, "",
       "gradients are summed in fp32 and weighed by the tokens of all ranks, so no order of scaling matters"},
      {"gradient_predivide_factor", noted, "",
       "gradients are summed in fp32 and weighed by the tokens of all ranks"},
      {"sparse_gradients", refused, "", "gradients of embeddings are dense here"},
      {"communication_data_type", composed},
      {"seq_parallel_communication_data_type", noted, "", "sequences are not split over ranks"},
      {"data_types.grad_accum_dtype", composed},
      {"zero_allow_untested_optimizer", noted, "", "every optimizer works under every placement"},
      {"zero_force_ds_cpu_optimizer", noted, "", "the optimizer runs where its state is"},
      {"zero_allow_comm_data_type_fp32", noted, "", "gradients are summed in fp32"},
  };
}

Keys zero_keys() {
  return {
      {"zero_optimization.stage", composed},
      {"zero_optimization.overlap_comm", composed},
      {"zero_optimization.offload_optimizer.device", composed},
      {"zero_optimization.offload_optimizer.nvme_path", composed},
      {"zero_optimization.offload_optimizer.ratio", composed},
      {"zero_optimization.offload_optimizer.pin_memory", noted, "",
       "host memory that a device copies to and from is always pinned"},
      {"zero_optimization.offload_optimizer.*", noted, "", measured},
      {"zero_optimization.offload_param.device", composed},
      {"zero_optimization.offload_param.nvme_path", composed},
      {"zero_optimization.offload_param.pin_memory", noted, "",
       "host memory that a device copies to and from is always pinned"},
      {"zero_optimization.offload_param.*", noted, "", measured},
      {"zero_optimization.cpu_offload", composed},
      {"zero_optimization.cpu_offload_params", composed},
      {"zero_optimization.cpu_offload_use_pin_memory", noted, "",
       "host memory that a device copies to and from is always pinned"},
      {"zero_optimization.zero_hpz_partition_size", composed},
      {"zero_optimization.zero_quantized_weights", composed},
      {"zero_optimization.zero_quantized_gradients", composed},
      {"zero_optimization.zero_quantized_nontrainable_weights", composed},
      {"zero_optimization.zeropp_loco_param", refused, "", "gradients are quantised without error feedback"},
      {"zero_optimization.mics_shard_size", composed},
      {"zero_optimization.mics_hierarchical_params_gather", noted, "",
       "collectives take the node and the network in turn by themselves"},
      {"zero_optimization.stage3_prefetch_bucket_size", composed},
      {"zero_optimization.stage3_param_persistence_threshold", same, "placement.persist_below"},
      {"zero_optimization.stage3_model_persistence_threshold", noted, "",
       "placement.persist_below says it a group"},
      {"zero_optimization.stage3_max_live_parameters", noted, "", by_slots},
      {"zero_optimization.stage3_max_reuse_distance", noted, "", by_slots},
      {"zero_optimization.stage3_gather_16bit_weights_on_model_save", noted, "",
       "checkpoints are sharded; `trireme export` writes one model of any number of ranks"},
      {"zero_optimization.stage3_gather_fp16_weights_on_model_save", noted, "",
       "checkpoints are sharded; `trireme export` writes one model of any number of ranks"},
      {"zero_optimization.stage3_use_all_reduce_for_fetch_params", noted, "", "parameters are all-gathered"},
      {"zero_optimization.sub_group_size", noted, "", "the optimizer goes by the model's groups"},
      {"zero_optimization.reduce_bucket_size", noted, "", by_unit},
      {"zero_optimization.allgather_bucket_size", noted, "", by_unit},
      {"zero_optimization.allgather_partitions", noted, "", "parameters are all-gathered"},
      {"zero_optimization.reduce_scatter", noted, "", "gradients are reduce-scattered where they are split"},
      {"zero_optimization.use_multi_rank_bucket_allreduce", noted, "", by_unit},
      {"zero_optimization.contiguous_gradients", noted, "", flat},
      {"zero_optimization.round_robin_gradients", noted, "", flat},
      {"zero_optimization.ignore_unused_parameters", noted, "",
       "a parameter without a gradient gets zeros in every step"},
      {"zero_optimization.grad_hooks", noted, "", "no hooks are used"},
      {"zero_optimization.legacy_stage1", noted, "", "there is one implementation of it"},
      {"zero_optimization.memory_efficient_linear", noted, "", "linears keep no copy of their weights"},
      {"zero_optimization.override_module_apply", noted, "", "parameters are read, not initialised"},
      {"zero_optimization.load_from_fp32_weights", noted, "", "checkpoints hold the fp32 master parameters"},
      {"zero_optimization.elastic_checkpoint", noted, "", "a run resumes at any number of ranks"},
      {"zero_optimization.module_granularity_threshold", noted, "", "a block is gathered at once"},
      {"zero_optimization.log_trace_cache_warnings", noted, "", not_for_training},
      {"zero_optimization.leaf_module.*", noted, "", "a block is gathered at once, its experts too"},
      {"zero_optimization.pipeline_loading_checkpoint", noted, "", "each rank reads its own slices alone"},
      {"zero_optimization.use_node_local_storage", refused, "",
       "checkpoints need a file system that all nodes see"},
  };
}

Keys precision_keys() {
  return {
      {"fp16.enabled", composed},
      {"fp16.auto_cast", refused, "", "all products are computed in the compute type"},
      {"fp16.loss_scale", composed},
      {"fp16.initial_scale_power", same, "loss_scale.initial_power", "counts with fp16 alone"},
      {"fp16.loss_scale_window", same, "loss_scale.window", "counts with fp16 alone"},
      {"fp16.hysteresis", same, "loss_scale.hysteresis", "counts with fp16 alone"},
      {"fp16.min_loss_scale", same, "loss_scale.minimum", "counts with fp16 alone"},
      {"fp16.consecutive_hysteresis", composed},
      {"fp16.fp16_master_weights_and_grads", refused, "", "master parameters and gradients are in fp32"},
      {"fp16.fp16_opt_level", noted, "", "there is one way of computing in fp16"},
      {"bf16.enabled", composed},
      {"bf16.immediate_grad_update", noted, "", "gradients are added up in fp32 as they come"},
      {"bf16.bf16_master_weights_and_grads", refused, "", "master parameters and gradients are in fp32"},
      {"bf16.bf16_optimizer_states", refused, "", "optimizer states are in fp32"},
      {"bf16.check_grad_overflow", noted, "", "a gradient that is not finite always ends the run"},
      {"bfloat16.enabled", composed},
      {"amp.enabled", refused, "", "use bf16"},
      {"amp.*", noted, "", "amp is off"},
      {"torch_autocast.enabled", refused, "", "use bf16"},
      {"torch_autocast.*", noted, "", "torch_autocast is off"},
  };
}

Keys optimizer_keys() {
  return {
      {"optimizer.type", composed},
      {"optimizer.params.lr", same, "learning_rate"},
      {"optimizer.params.betas", composed},
      {"optimizer.params.eps", same, "adam_epsilon"},
      {"optimizer.params.weight_decay", same, "weight_decay"},
      {"optimizer.params.momentum", refused, "", "sgd is without momentum here"},
      {"optimizer.params.adam_w_mode", composed},
      {"optimizer.params.torch_adam", noted, "", "there is one implementation"},
      {"optimizer.params.bias_correction", composed},
      {"optimizer.params.amsgrad", refused, "", "it is not there"},
      {"optimizer.params.fp32_optimizer_states", noted, "", "optimizer states are in fp32"},
      {"optimizer.legacy_fusion", noted, "", "there is one implementation"},
      {"scheduler.type", composed},
      {"scheduler.params.warmup_min_lr", composed},
      {"scheduler.params.warmup_max_lr", same, "learning_rate"},
      {"scheduler.params.warmup_num_steps", same, "warmup_steps"},
      {"scheduler.params.warmup_type", composed},
      {"scheduler.params.warmup_min_ratio", composed},
      {"scheduler.params.cos_min_ratio", composed},
      {"scheduler.params.total_num_steps", same, "max_steps", "DeepSpeed's schedule ends there, the run too"},
      {"scheduler.params.last_batch_iteration", noted, "", "a run resumes by itself"},
  };
}

Keys other_keys() {
  return {
      {"activation_checkpointing.cpu_checkpointing", composed},
      {"activation_checkpointing.partition_activations", noted, "",
       "it splits inputs of blocks over tensor-parallel ranks, and there are none; each rank's rows are its "
       "own"},
      {"activation_checkpointing.contiguous_memory_optimization", noted, "",
       "places on the host are fixed anyway, and tensors' memory is kept from step to step"},
      {"activation_checkpointing.*", noted, "",
       "gradient_checkpointing of the job file says whether blocks are recomputed"},
      {"flops_profiler.*", noted, "", not_for_training},
      {"comms_logger.*", noted, "", not_for_training},
      {"tensorboard.*", noted, "", "metrics go to metrics.jsonl"},
      {"wandb.*", noted, "", "metrics go to metrics.jsonl; nothing is sent elsewhere"},
      {"csv_monitor.*", noted, "", "metrics go to metrics.jsonl"},
      {"comet.*", noted, "", "metrics go to metrics.jsonl; nothing is sent elsewhere"},
      {"aio.*", noted, "", measured},
      {"checkpoint.load_universal", noted, "", "every checkpoint is read at any number of ranks"},
      {"checkpoint.tag_validation", noted, "", "all ranks agree on a checkpoint before it is visible"},
      {"checkpoint.use_node_local_storage", refused, "", "checkpoints need a file system that all nodes see"},
      {"checkpoint.*", noted, "", "checkpoints have their own settings in the job file"},
      {"nebula.enabled", refused, "", "checkpoints are written to output_dir"},
      {"nebula.*", noted, "", "nebula is off"},
      {"elasticity.enabled", refused, "",
       "a run resumes at any number of ranks; train_batch_size keeps its size"},
      {"elasticity.*", noted, "", "elasticity is off"},
      {"autotuning.enabled", refused, "", "there is no tuning of this kind"},
      {"autotuning.*", noted, "", "autotuning is off"},
      {"curriculum_learning.enabled", refused, "", "rows come in one order, drawn from the seed"},
      {"curriculum_learning.*", noted, "", "curriculum_learning is off"},
      {"data_efficiency.enabled", refused, "", "rows come in one order, drawn from the seed"},
      {"data_efficiency.*", noted, "", "data_efficiency is off"},
      {"progressive_layer_drop.enabled", refused, "", "all layers are trained in every step"},
      {"progressive_layer_drop.*", noted, "", "progressive_layer_drop is off"},
      {"eigenvalue.enabled", refused, "", "it is not there"},
      {"eigenvalue.*", noted, "", "eigenvalue is off"},
      {"quantize_training.*", refused, "", "it is not there"},
      {"compression_training.*", refused, "", "it is not there"},
      {"sparse_attention.*", refused, "", "attention is dense here"},
      {"pipeline.*", refused, "", "models are not split into pipeline stages"},
      {"tensor_parallel.autotp_size", composed},
      {"tensor_parallel.*", noted, "", "tensor parallelism is off"},
      {"hybrid_engine.enabled", refused, "", "there is no generation during training"},
      {"hybrid_engine.*", noted, "", "hybrid_engine is off"},
      {"compile.*", noted, "", "nothing is compiled at run time"},
      {"zero_optimization", refused, "", "it must be a mapping"},
      {"optimizer", refused, "", "it must be a mapping"},
      {"scheduler", refused, "", "it must be a mapping"},
      {"fp16", refused, "", "it must be a mapping"},
      {"bf16", refused, "", "it must be a mapping"},
      {"disable_allgather", refused, "", "parameters are all-gathered"},
  };
}

}  // namespace

const std::vector<ForeignKey>& deepspeed_keys() {
  static const Keys table = [] {
    Keys all = batch_keys();
    for (const Keys& more : {zero_keys(), precision_keys(), optimizer_keys(), other_keys()})
      all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return table;
}

}  // namespace trireme::jobs
