#include "jobs/imports/deepspeed.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "core/error.h"
#include "io/file.h"
#include "jobs/imports/flatten_json.h"

namespace trireme::jobs {
namespace {

constexpr std::uint64_t longest_file = 1 << 20;
const std::string zero = "zero_optimization.";

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

/// Sections are also found as "ZeRO_optimization", and bf16 as "bfloat16".
std::vector<Setting> with_usual_names(std::vector<Setting> settings) {
  for (Setting& setting : settings) {
    const std::size_t dot = setting.name.find('.');
    std::string section = lower(setting.name.substr(0, dot));
    if (section == "bfloat16") section = "bf16";
    if (dot != std::string::npos) setting.name = section + setting.name.substr(dot);
  }
  return settings;
}

/// "device" where the section is absent, and DeepSpeed's "cpu" is our host.
std::string tier_of(ForeignReader& file, const std::string& name) {
  const std::string device = file.text(name).value_or("none");
  if (device == "cpu") return "host";
  if (device == "nvme") return "nvme";
  if (device != "none") file.refuse(name, "the device must be none, cpu or nvme");
  return "device";
}

void say_tier(ForeignReader& file, const std::string& section, const std::string& state,
              const std::string& note) {
  const std::string device = zero + section + ".device", folder = zero + section + ".nvme_path";
  const std::string tier = tier_of(file, device);
  if (file.find(device)) {
    if (tier == "device") {
      file.note(device, "the state stays on the device");
    } else {
      file.take(device, "placement." + state + ".tier", tier, note);
    }
  }
  if (!file.find(folder)) return;
  if (tier == "nvme" && file.text(folder)) {
    file.take(folder, "slurm.scratch", *file.text(folder), "the folder on each node's own disk");
  } else {
    file.note(folder, "nothing of this section is kept on NVMe");
  }
}

void compose_offload(ForeignReader& file, int stage) {
  const std::string optimizer = zero + "offload_optimizer.device";
  const std::string old_optimizer = zero + "cpu_offload", old_parameters = zero + "cpu_offload_params";
  if (stage == 0 && tier_of(file, optimizer) != "device")
    file.refuse(optimizer, "DeepSpeed offloads with stages 1 to 3 alone");
  if (stage != 3 && tier_of(file, zero + "offload_param.device") != "device")
    file.refuse(zero + "offload_param.device", "DeepSpeed offloads parameters with stage 3 alone");
  say_tier(file, "offload_optimizer", "optimizer", "the optimizer runs where its state is");
  say_tier(file, "offload_param", "parameters", "");
  if (file.find(zero + "offload_optimizer.ratio")) {
    if (file.number(zero + "offload_optimizer.ratio", 1) != 1)
      file.refuse(zero + "offload_optimizer.ratio", "all of the optimizer's state has one tier; use 1");
    file.note(zero + "offload_optimizer.ratio", "all of the optimizer's state has one tier");
  }
  for (const auto& [old, state] :
       {std::pair{old_optimizer, "optimizer"}, std::pair{old_parameters, "parameters"}}) {
    if (!file.find(old)) continue;
    if (file.on(old)) {
      file.take(old, fmt::format("placement.{}.tier", state), "host");
    } else {
      file.note(old, "the state stays on the device");
    }
  }
}

void compose_zeropp(ForeignReader& file, int stage) {
  const auto whole = [&](const std::string& name) {
    const double value = file.number(name, 1);
    if (value != static_cast<double>(static_cast<int>(value)) || value > 1e6)
      file.refuse(name, "its value must be a whole number of ranks");
    return static_cast<int>(value);
  };
  if (const std::string name = zero + "zero_hpz_partition_size"; file.find(name)) {
    const int ranks = whole(name);
    if (ranks <= 1) {
      file.note(name, "no secondary copy");
    } else if (stage != 3) {
      file.refuse(name, "a secondary copy of parameters is of use with stage 3 alone");
    } else {
      file.take(name, "placement.secondary.span", std::to_string(ranks),
                "later gathers of a step stay inside so many ranks");
    }
  }
  struct Wire {
    const char *key, *ours, *value;
  };
  for (const Wire& wire : {Wire{"zero_quantized_weights", "placement.parameters.wire", "int8"},
                           Wire{"zero_quantized_gradients", "placement.gradients.wire", "int4_two_hop"},
                           Wire{"zero_quantized_nontrainable_weights", "placement.frozen.wire", "int8"}}) {
    const std::string name = zero + wire.key;
    if (!file.find(name)) continue;
    if (file.on(name)) {
      file.take(name, wire.ours, wire.value);
    } else {
      file.note(name, "travels as it is stored");
    }
  }
  if (const std::string name = zero + "mics_shard_size"; file.find(name)) {
    const int ranks = whole(name);
    if (ranks <= 0) return file.note(name, "is off");
    const std::string span = std::to_string(ranks);
    for (const char* state : {"parameters", "gradients", "optimizer"})
      file.take(name, fmt::format("placement.{}.span", state), span, "all state is split over so many ranks");
  }
}

void compose_zero(ForeignReader& file) {
  const std::string stage_key = zero + "stage";
  const double stage = file.number(stage_key, 0);
  if (stage != 0 && stage != 1 && stage != 2 && stage != 3)
    file.refuse(stage_key, "stages are 0, 1, 2 and 3");
  if (file.find(stage_key))
    file.take(stage_key, "placement.preset",
              stage == 0 ? "ddp" : fmt::format("zero{}", static_cast<int>(stage)));
  compose_offload(file, static_cast<int>(stage));
  compose_zeropp(file, static_cast<int>(stage));
  if (const std::string name = zero + "overlap_comm"; file.find(name)) {
    if (file.on(name)) {
      file.note(name,
                "communication always runs beside computation; schedule.prefetch_depth says how far ahead");
    } else {
      file.take(name, "schedule.prefetch_depth", "0", "parameters are gathered when they are needed");
      file.take(name, "schedule.reduce_depth", "0", "gradients are reduced before the next unit");
    }
  }
  if (const std::string name = zero + "stage3_prefetch_bucket_size"; file.find(name)) {
    if (file.text(name) == "0") {
      file.take(name, "schedule.prefetch_depth", "0");
    } else {
      file.note(name, "prefetching goes by blocks; schedule.prefetch_depth says how many ahead");
    }
  }
}

void compose_precision(ForeignReader& file) {
  if (file.on("fp16.enabled") && file.on("bf16.enabled"))
    file.refuse("fp16.enabled", "bf16.enabled is true too; keep one");
  const bool half = file.on("fp16.enabled");
  if (file.find("bf16.enabled"))
    file.take("bf16.enabled", "bf16", file.on("bf16.enabled") ? "true" : "false");
  if (file.find("fp16.enabled")) file.take("fp16.enabled", "fp16", half ? "true" : "false");
  if (const char* name = "fp16.loss_scale"; file.find(name)) {
    if (file.number(name, 0) != 0)
      file.refuse(name, "the scale follows overflows; use 0 and say initial_scale_power");
    file.note(name, "0 is a scale that follows overflows, as here");
  }
  if (const char* name = "fp16.consecutive_hysteresis"; file.find(name)) {
    if (file.on(name)) file.refuse(name, "hysteresis is refilled when the scale grows, DeepSpeed's default");
    file.note(name, "is off");
  }
}

void compose_sums(ForeignReader& file) {
  if (const char* name = "communication_data_type"; file.find(name)) {
    const std::string type = file.text(name).value_or("fp32");
    if (type != "fp32")
      file.refuse(name, "gradients travel in fp32 unless placement.gradients.wire says otherwise");
    file.note(name, "gradients travel in fp32");
  }
  if (const char* name = "data_types.grad_accum_dtype"; file.find(name))
    file.take(name, "placement.gradients.codec", file.text(name).value_or("fp32"));
  if (const char* name = "tensor_parallel.autotp_size"; file.find(name)) {
    if (file.number(name, 1) > 1)
      file.refuse(name, "layers are not split over ranks; placements split state");
    file.note(name, "layers are not split over ranks");
  }
  if (const char* name = "activation_checkpointing.cpu_checkpointing"; file.find(name)) {
    if (file.on(name)) {
      file.take(name, "placement.activation_tier", "host",
                "inputs of recomputed blocks are kept on the host");
      file.take(name, "placement.activations", "recomputed", "which blocks must be for that");
    } else {
      file.note(name, "inputs of recomputed blocks stay on the device");
    }
  }
}

}  // namespace

Import compose_deepspeed(const std::vector<Setting>& settings) {
  ForeignReader file(deepspeed_keys(), "");
  file.read(with_usual_names(settings));
  compose_zero(file);
  compose_precision(file);
  compose_sums(file);
  compose_optimizer(file);
  return file.finish();
}

Import parse_deepspeed(std::string_view text, const std::string& where) {
  return compose_deepspeed(flatten_json(text, where));
}

Import read_deepspeed(const std::filesystem::path& path) {
  return parse_deepspeed(io::read_text(path, longest_file), path.string());
}

}  // namespace trireme::jobs
