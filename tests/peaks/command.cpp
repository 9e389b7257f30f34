// memory_peaks GOLDEN LOG [STRIDE]: what each tier holds at the peak of a step, foretold and measured, for
// every preset on 1, 2 and 4 ranks (these on two nodes), in fp32 and bf16, under each policy for activations,
// for full tuning, LoRA and QLoRA, of two models. Goes on where LOG ends ("-": none is kept); with STRIDE
// only each so many-th case. Ends with 1 where one is off by more than 3 %.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>

#include <fmt/format.h>

#include "model/config.h"
#include "sharding/presets.h"
#include "tests/peaks/measure.h"

namespace trireme::peaks {
namespace {

using exactness::Case;
using exactness::Tuning;
using sharding::Activations;
using sharding::Codec;

constexpr double most_wrong = 0.03;
constexpr const char* tiny =
    R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 256, "num_hidden_layers": 8,
"num_attention_heads": 8, "num_key_value_heads": 4, "intermediate_size": 688, "vocab_size": 8192,
"max_position_embeddings": 512, "rms_norm_eps": 1e-5})";

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Form> forms_of(const std::string& golden) {
  const std::string reference = golden + "/reference/config.json";
  return {{"reference", model::parse_config(text_of(reference), reference), 2, 64},
          {"tiny", model::parse_config(tiny, "tiny"), 1, 128}};
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const std::string_view preset : sharding::preset_names())
    for (const Tuning tuning : {Tuning::full, Tuning::lora, Tuning::qlora}) {
      if (preset == "qlora_fsdp" && tuning != Tuning::qlora) continue;
      for (const int ranks : {1, 2, 4})
        for (const Codec compute : {Codec::fp32, Codec::bf16})
          for (const Activations activations :
               {Activations::kept, Activations::recomputed, Activations::recomputed_except_attention})
            all.push_back({std::string(preset), ranks, compute, 2, activations, tuning});
    }
  return all;
}

std::string words(const char* what, const Peak& peak) {
  return fmt::format("{} {} of {} ({:+.2f} %)", what, peak.foretold, peak.measured, 100 * peak.error());
}

std::string verdict(const Peaks& peaks) {
  bool good = true;
  for (const Peak& peak : {peaks.device, peaks.activations, peaks.host, peaks.nvme})
    good = good && std::abs(peak.error()) <= most_wrong;
  return fmt::format("{}, {}, {}, {}, {}", good ? "ok" : "WRONG", words("device", peaks.device),
                     words("of it activations", peaks.activations), words("host", peaks.host),
                     words("nvme", peaks.nvme));
}

int go(const std::string& golden, const std::string& log, std::size_t stride) {
  const bool keeps_log = log != "-";
  const std::set<std::string> done = keeps_log ? exactness::sound_cases_in(log) : std::set<std::string>();
  std::ofstream lines;
  if (keeps_log) lines.open(log, std::ios::app);
  std::size_t at = 0;
  int taken = 0, wrong = 0;
  for (const Form& form : forms_of(golden))
    for (const Case& one : all_cases()) {
      const std::string name = form.name + ": " + name_of(one);
      if (at++ % stride != 0 || done.contains(name)) continue;
      const std::string line = name + ": " + verdict(measure(form, one));
      if (keeps_log) lines << line << std::endl;
      ++taken;
      if (line.find(": ok") == std::string::npos) ++wrong, fmt::print("{}\n", line);
    }
  fmt::print("{} of the {} cases that were run are wrong\n", wrong, taken);
  return wrong == 0 && taken + static_cast<int>(done.size()) > 0 ? 0 : 1;
}

}  // namespace
}  // namespace trireme::peaks

int main(int argc, char** argv) {
  const std::size_t stride = argc == 4 ? std::strtoul(argv[3], nullptr, 10) : 1;
  if (argc < 3 || argc > 4 || stride < 1) {
    fmt::print(stderr, "memory_peaks GOLDEN LOG [STRIDE]\n");
    return 64;
  }
  try {
    return trireme::peaks::go(argv[1], argv[2], stride);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "{}\n", problem.what());
    return 70;
  }
}
