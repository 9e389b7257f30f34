#include "jobs/imports/fsdp.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "core/error.h"
#include "jobs/suggest.h"

namespace trireme::jobs {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

struct Strategy {
  std::string_view name, number, preset, note;
};
constexpr std::array strategies{
    Strategy{"full_shard", "1", "fsdp_full", ""},
    Strategy{"shard_grad_op", "2", "fsdp_grad_op", ""},
    Strategy{"no_shard", "3", "ddp", ""},
    Strategy{"hybrid_shard", "4", "hsdp", "sharded in a node, copies between nodes"},
    Strategy{"hybrid_shard_zero2", "5", "hsdp", "sharded in a node, copies between nodes"},
};

const Strategy* strategy_of(const std::string& word) {
  const auto found = std::find_if(strategies.begin(), strategies.end(), [&](const Strategy& strategy) {
    return strategy.name == lower(word) || strategy.number == word;
  });
  return found == strategies.end() ? nullptr : &*found;
}

class Composer {
 public:
  explicit Composer(const FsdpSettings& settings)
      : settings_(settings), config_(fsdp_keys(), "fsdp_config.") {
    std::vector<Setting> plain = settings.config;
    for (Setting& setting : plain)
      if (setting.name.starts_with("fsdp_")) setting.name.erase(0, 5);
    config_.read(plain);
  }

  Import compose() {
    for (const Setting& setting : settings_.words) read_words(setting);
    compose_strategy();
    compose_rest();
    compose_prefetch();
    Import all = config_.finish();
    all.append(import_);
    if (!found_strategy_ && !(settings_.words.empty() && settings_.config.empty()))
      set(settings_.words.empty() ? settings_.config.front() : settings_.words.front(), "fsdp",
          strategies.front());
    return all.append(after_), all;
  }

 private:
  void set(const Setting& setting, const std::string& key, const Strategy& strategy) {
    found_strategy_ = true;
    std::string preset(strategy.preset), note(strategy.note);
    if (settings_.quantised_base && preset == "fsdp_full")
      preset = "qlora_fsdp", note = "the frozen base is kept in nf4";
    after_.mapped.push_back({key, "placement.preset: " + preset, note});
    after_.settings.push_back({"placement.preset", YAML::Node(preset), setting.where + ": " + key});
    if (strategy.name != "hybrid_shard_zero2") return;
    after_.settings.push_back({"placement.secondary.span", YAML::Node("1"), setting.where + ": " + key});
    after_.mapped.push_back({key, "placement.secondary.span: 1", "gathered once a step"});
  }

  void read_words(const Setting& setting) {
    std::vector<std::string> words;
    if (setting.value.IsSequence()) {
      for (const auto& item : setting.value) words.push_back(item.IsScalar() ? item.Scalar() : "");
    } else if (setting.value.IsScalar()) {
      std::string word;
      for (const char letter : setting.value.Scalar() + " ")
        if (letter == ' ' || letter == ',') {
          if (!word.empty()) words.push_back(word);
          word.clear();
        } else {
          word += letter;
        }
    }
    for (const std::string& word : words) read_word(setting, word);
  }

  void read_word(const Setting& setting, const std::string& word) {
    const std::string key = "fsdp: " + word.substr(0, 60);
    if (const Strategy* strategy = strategy_of(word)) return set(setting, key, *strategy);
    if (word == "auto_wrap") {
      import_.mapped.push_back({key, "", "a block of the model is always the unit"});
    } else if (word == "offload") {
      offload(setting, key);
    } else {
      std::vector<std::string_view> known{"auto_wrap", "offload"};
      for (const Strategy& strategy : strategies) known.push_back(strategy.name);
      fail(ExitCode::configuration, "{}: fsdp: {} is not known{}", setting.where, word.substr(0, 60),
           did_you_mean(word, known));
    }
  }

  void offload(const Setting& setting, const std::string& key) {
    std::vector<std::string> states{"parameters", "gradients", "optimizer"};
    if (settings_.quantised_base) states.emplace_back("frozen");
    for (const std::string& state : states) {
      const std::string ours = fmt::format("placement.{}.tier", state);
      after_.mapped.push_back({key, ours + ": host", ""});
      after_.settings.push_back({ours, YAML::Node("host"), setting.where + ": " + key});
    }
  }

  void compose_strategy() {
    for (const char* name : {"sharding_strategy", "reshard_after_forward"}) {
      const Setting* setting = config_.find(name);
      if (!setting) continue;
      const std::string word = config_.text(name).value_or("full_shard");
      // FSDP 2 says true or false where FSDP 1 named a strategy.
      const Strategy* strategy = word == "true"    ? &strategies[0]
                                 : word == "false" ? &strategies[1]
                                                   : strategy_of(word);
      if (!strategy)
        config_.refuse(name,
                       "there are FULL_SHARD, SHARD_GRAD_OP, NO_SHARD, HYBRID_SHARD and "
                       "HYBRID_SHARD_ZERO2");
      if (found_strategy_) {
        config_.note(name, "the strategy was said before and holds");
        const auto said = after_.settings.front().value.Scalar();
        if (said != strategy->preset && !(settings_.quantised_base && said == "qlora_fsdp"))
          config_.refuse(name, fmt::format("another strategy was said before: {}", said));
        continue;
      }
      config_.note(name, "a sharding strategy");
      set(*setting, fmt::format("fsdp_config.{} = {}", name, word), *strategy);
    }
  }

  void compose_rest() {
    for (const char* name : {"offload_params", "cpu_offload"}) {
      if (!config_.find(name)) continue;
      config_.note(name, config_.on(name) ? "parameters, gradients and optimizer state are kept on the host"
                                          : "state stays on the device");
      if (config_.on(name)) offload(*config_.find(name), std::string("fsdp_config.") + name);
    }
    if (const char* name = "activation_checkpointing"; config_.find(name))
      config_.take(name, "gradient_checkpointing", config_.on(name) ? "true" : "false");
    if (const char* name = "mixed_precision_policy"; config_.find(name)) {
      const std::string type = config_.text(name).value_or("");
      if (type != "bf16" && type != "fp16" && type != "fp32" && !type.empty())
        config_.refuse(name, "compute types are bf16, fp16 and fp32");
      if (type.empty()) config_.note(name, "left to the job file");
      if (type == "bf16" || type == "fp32") config_.take(name, "bf16", type == "bf16" ? "true" : "false");
      if (type == "fp16") config_.take(name, "fp16", "true");
    }
    for (const char* name : {"version", "auto_wrap_policy"}) {
      if (!config_.find(name)) continue;
      const std::string value = lower(config_.text(name).value_or("1"));
      if (std::string_view(name) == "version" && value != "1" && value != "2")
        config_.refuse(name, "there are FSDP 1 and 2, and both are taken");
      config_.note(name, std::string_view(name) == "version" ? "there is one implementation of both"
                         : value == "no_wrap"
                             ? "a block of the model is the unit all the same, which only lowers the peak"
                             : "a block of the model is always the unit");
    }
  }

  void compose_prefetch() {
    for (const char* name : {"backward_prefetch", "backward_prefetch_policy"}) {
      if (!config_.find(name)) continue;
      const std::string policy = lower(config_.text(name).value_or("backward_pre"));
      if (policy == "no_prefetch" || policy == "none") {
        config_.take(name, "schedule.prefetch_depth", "0");
      } else if (policy == "backward_pre" || policy == "backward_post") {
        config_.note(name,
                     "the next block is gathered while one is computed; schedule.prefetch_depth says more");
      } else {
        config_.refuse(name, "there are BACKWARD_PRE, BACKWARD_POST and NO_PREFETCH");
      }
    }
  }

  const FsdpSettings& settings_;
  ForeignReader config_;
  Import import_, after_;
  bool found_strategy_ = false;
};

}  // namespace

const std::vector<ForeignKey>& fsdp_keys() {
  constexpr auto composed = ForeignKey::Fate::composed;
  constexpr auto noted = ForeignKey::Fate::noted;
  constexpr std::string_view checkpoints =
      "checkpoints are sharded and read at any number of ranks; `trireme export` writes one model";
  static const std::vector<ForeignKey> table{
      {"version", composed},
      {"sharding_strategy", composed},
      {"reshard_after_forward", composed},
      {"offload_params", composed},
      {"cpu_offload", composed},
      {"activation_checkpointing", composed},
      {"mixed_precision_policy", composed},
      {"auto_wrap_policy", composed},
      {"backward_prefetch", composed},
      {"backward_prefetch_policy", composed},
      {"cpu_ram_efficient_loading", noted, "", "each rank always reads its own slices alone"},
      {"sync_module_states", noted, "", "each rank always reads its own slices alone"},
      {"state_dict_type", noted, "", checkpoints},
      {"final_state_dict_type", noted, "", checkpoints},
      {"transformer_layer_cls_to_wrap", noted, "", "a block of the model is always the unit"},
      {"min_num_params", noted, "", "a block of the model is always the unit"},
      {"use_orig_params", noted, "", "parameters keep their names and shapes"},
      {"limit_all_gathers", noted, "", "parameters live in a fixed ring of slots, which bounds them"},
      {"forward_prefetch", noted, "", "blocks are gathered ahead; schedule.prefetch_depth says how many"},
      {"ignored_modules", ForeignKey::Fate::refused, "", "all of a model is placed alike"},
      {"xla", ForeignKey::Fate::refused, "", "there is no XLA here"},
      {"xla_fsdp_grad_ckpt", ForeignKey::Fate::refused, "", "there is no XLA here"},
  };
  return table;
}

Import read_fsdp(const FsdpSettings& settings) {
  return Composer(settings).compose();
}

}  // namespace trireme::jobs
