#include "jobs/keys.h"

namespace trireme::jobs {

const std::vector<RefusedKey>& refused_keys() {
  static const std::vector<RefusedKey> table{
      {"load_in_8bit", "weights of 8 bits are not there; use load_in_4bit"},
      {"eval_sample_packing", "rows of evaluation are packed as those of training are"},
      {"special_tokens",
       "it is not there yet; the tokenizer and its tokenizer_config.json are used as they are"},
      {"tokens", "it is not there yet; the tokenizer and its tokenizer_config.json are used as they are"},
      {"resume_from_checkpoint", "a run resumes by itself from the newest checkpoint of its output_dir"},
      {"auto_resume_from_checkpoints",
       "a run resumes by itself from the newest checkpoint of its output_dir"},
      {"wandb_project", "metrics go to metrics.jsonl; nothing is sent elsewhere"},
      {"wandb_entity", "metrics go to metrics.jsonl; nothing is sent elsewhere"},
      {"wandb_name", "metrics go to metrics.jsonl; nothing is sent elsewhere"},
      {"wandb_watch", "metrics go to metrics.jsonl; nothing is sent elsewhere"},
      {"wandb_log_model", "metrics go to metrics.jsonl; nothing is sent elsewhere"},
      {"hub_model_id", "nothing is uploaded"},
      {"trust_remote_code", "no code is ever run from a model folder"},
  };
  return table;
}

const std::vector<MappedKey>& mapped_keys() {
  static const std::vector<MappedKey> table{
      {"special_tokens.pad_token", "padding is neither scored nor attended to, so any token can pad"},
      {"pad_to_sequence_len", "rows are always padded to sequence_len"},
      {"flash_attention", "attention is always the fused one of the device"},
      {"sdp_attention", "attention is always the fused one of the device"},
  };
  return table;
}

const std::vector<RefusedValue>& refused_values() {
  static const std::vector<RefusedValue> table{
      {"optimizer", "paged_lion_8bit", "there is no Lion; use paged_adamw_8bit"},
      {"optimizer", "adafactor", "it is not there; use adamw_torch"},
      {"optimizer", "muon", "it is not there yet; use adamw_torch"},
      {"lr_scheduler", "cosine_with_restarts", "it is not there; use cosine"},
      {"lr_scheduler", "polynomial", "it is not there; use linear or cosine"},
      {"bf16", "full", "parameters and their optimizer state in bf16 alone lose small updates; use true"},
  };
  return table;
}

}  // namespace trireme::jobs
