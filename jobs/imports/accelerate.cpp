#include "jobs/imports/accelerate.h"

#include <fmt/format.h>

#include "core/error.h"
#include "io/file.h"
#include "jobs/imports/deepspeed.h"
#include "jobs/imports/fsdp.h"

namespace trireme::jobs {
namespace {

constexpr std::uint64_t longest_file = 1 << 20;

std::vector<Setting> below(std::vector<Setting>& settings, const std::string& section) {
  std::vector<Setting> inner, others;
  for (Setting& setting : settings) {
    if (setting.name.starts_with(section + ".")) {
      setting.name.erase(0, section.size() + 1);
      inner.push_back(setting);
    } else {
      others.push_back(setting);
    }
  }
  settings = std::move(others);
  return inner;
}

/// accelerate's short words for a DeepSpeed configuration, under DeepSpeed's names.
std::string deepspeed_name(const std::string& name) {
  if (name == "zero_stage") return "zero_optimization.stage";
  if (name == "offload_optimizer_device") return "zero_optimization.offload_optimizer.device";
  if (name == "offload_param_device") return "zero_optimization.offload_param.device";
  if (name == "offload_optimizer_nvme_path") return "zero_optimization.offload_optimizer.nvme_path";
  if (name == "offload_param_nvme_path") return "zero_optimization.offload_param.nvme_path";
  if (name == "zero3_save_16bit_model") return "zero_optimization.stage3_gather_16bit_weights_on_model_save";
  return name;
}

Import deepspeed_section(std::vector<Setting> settings, const std::filesystem::path& folder) {
  Import all;
  std::vector<Setting> plain;
  for (Setting& setting : settings) {
    if (setting.name == "deepspeed_config_file" && setting.value.IsScalar()) {
      all.append(read_deepspeed(folder / setting.value.Scalar()));
      continue;
    }
    const bool launching = setting.name.starts_with("deepspeed_") || setting.name == "zero3_init_flag";
    if (launching) {
      all.mapped.push_back({"deepspeed_config." + setting.name, "",
                            setting.name == "zero3_init_flag" ? "each rank always reads its own slices alone"
                                                              : "MPI or Slurm starts the ranks"});
      continue;
    }
    setting.name = deepspeed_name(setting.name);
    plain.push_back(setting);
  }
  all.append(compose_deepspeed(plain));
  return all;
}

void compose_machines(ForeignReader& file) {
  const auto count = [&](const char* name) {
    const double value = file.number(name, 1);
    if (value < 1 || value != static_cast<double>(static_cast<int>(value)))
      file.refuse(name, "its value must be a whole number from 1 on");
    return static_cast<int>(value);
  };
  const int machines = count("num_machines"), processes = count("num_processes");
  if (file.find("num_machines")) file.take("num_machines", "slurm.nodes", std::to_string(machines));
  if (!file.find("num_processes")) return;
  if (processes % machines != 0)
    file.refuse("num_processes", fmt::format("it is not a multiple of num_machines = {}", machines));
  file.take("num_processes", "slurm.ranks_per_node", std::to_string(processes / machines),
            "of all machines together, here a node");
}

void compose_type(ForeignReader& file, bool has_fsdp, bool has_deepspeed) {
  if (const char* name = "mixed_precision"; file.find(name)) {
    const std::string type = file.text(name).value_or("no");
    if (type == "fp16") {
      file.take(name, "fp16", "true");
    } else if (type == "bf16" || type == "no") {
      file.take(name, "bf16", type == "bf16" ? "true" : "false");
    } else {
      file.refuse(name, "compute types are no, bf16 and fp16");
    }
  }
  const char* name = "distributed_type";
  if (!file.find(name)) return;
  const std::string type = file.text(name).value_or("NO");
  if (type == "FSDP" || type == "DEEPSPEED") {
    if (!(type == "FSDP" ? has_fsdp : has_deepspeed))
      file.refuse(name,
                  fmt::format("the section {}_config is missing", type == "FSDP" ? "fsdp" : "deepspeed"));
    file.note(name, "its section says the placement");
  } else if (type == "NO" || type == "MULTI_GPU" || type == "MULTI_CPU" || type == "no") {
    file.take(name, "placement.preset", "ddp");
  } else {
    file.refuse(name, "there are FSDP, DEEPSPEED, MULTI_GPU, MULTI_CPU and NO");
  }
}

}  // namespace

const std::vector<ForeignKey>& accelerate_keys() {
  constexpr auto composed = ForeignKey::Fate::composed;
  constexpr auto noted = ForeignKey::Fate::noted;
  constexpr auto refused = ForeignKey::Fate::refused;
  constexpr std::string_view started = "MPI or Slurm starts the ranks and tells them where they are";
  static const std::vector<ForeignKey> table{
      {"distributed_type", composed},
      {"mixed_precision", composed},
      {"num_machines", composed},
      {"num_processes", composed},
      {"gradient_accumulation_steps", ForeignKey::Fate::same, "gradient_accumulation_steps"},
      {"gradient_clipping", ForeignKey::Fate::same, "max_grad_norm"},
      {"compute_environment", noted, "", started},
      {"machine_rank", noted, "", started},
      {"main_process_ip", noted, "", started},
      {"main_process_port", noted, "", started},
      {"main_training_function", noted, "", "`trireme train` is the program"},
      {"rdzv_backend", noted, "", started},
      {"same_network", noted, "", started},
      {"gpu_ids", noted, "", "each rank takes the GPU of its place on the node"},
      {"use_cpu", noted, "", "the device is found"},
      {"enable_cpu_affinity", noted, "", "binding is that of `trireme launch --bind-to` or of Slurm"},
      {"debug", noted, "", "what collectives are called with is always compared when a run hangs"},
      {"downcast_bf16", refused, "", "it is for TPUs"},
      {"tpu_env", refused, "", "there are no TPUs here"},
      {"tpu_use_cluster", refused, "", "there are no TPUs here"},
      {"tpu_use_sudo", refused, "", "there are no TPUs here"},
      {"dynamo_config.*", noted, "", "nothing is compiled at run time"},
      {"dynamo_backend", noted, "", "nothing is compiled at run time"},
      {"ipex_config.*", noted, "", "products go by the CPU's own instructions"},
      {"mpirun_config.*", noted, "", "`trireme launch` starts mpirun"},
      {"megatron_lm_config.*", refused, "", "models are not split over tensors or pipeline stages"},
      {"parallelism_config.*", refused, "", "name a placement instead"},
      {"fp8_config.*", refused, "", "compute types are bf16, fp16 and fp32"},
      {"command_file", refused, "", "`trireme train` is the program"},
      {"commands", refused, "", "`trireme train` is the program"},
  };
  return table;
}

Import parse_accelerate(std::string_view text, const std::string& where, const std::filesystem::path& folder,
                        bool quantised_base) {
  std::vector<Setting> settings = read_settings(text, where, folder);
  const std::vector<Setting> fsdp = below(settings, "fsdp_config");
  const std::vector<Setting> deepspeed = below(settings, "deepspeed_config");
  // Empty sections say nothing.
  std::erase_if(settings, [](const Setting& setting) {
    return (setting.name == "fsdp_config" || setting.name == "deepspeed_config") && means_off(setting.value);
  });
  ForeignReader file(accelerate_keys(), "");
  file.read(settings);
  compose_type(file, !fsdp.empty(), !deepspeed.empty());
  compose_machines(file);
  Import all = file.finish();
  if (!fsdp.empty()) all.append(read_fsdp({{}, fsdp, quantised_base}));
  if (!deepspeed.empty()) all.append(deepspeed_section(deepspeed, folder));
  return all;
}

Import read_accelerate(const std::filesystem::path& path, bool quantised_base) {
  return parse_accelerate(io::read_text(path, longest_file), path.string(), path.parent_path(),
                          quantised_base);
}

}  // namespace trireme::jobs
