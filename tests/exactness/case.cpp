#include "tests/exactness/case.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "sharding/presets.h"

namespace trireme::exactness {
namespace {

using sharding::Activations;
using sharding::Codec;

constexpr std::array tuning_names{"full", "lora", "qlora"};

/// The kinds of settings of a case, numbered, so that two cases can be compared kind by kind.
std::array<int, 6> settings_of(const Case& one) {
  static const auto presets = sharding::preset_names();
  const auto preset = std::find(presets.begin(), presets.end(), one.preset) - presets.begin();
  return {static_cast<int>(preset),          one.ranks,
          static_cast<int>(one.compute),     one.micro_batches,
          static_cast<int>(one.activations), static_cast<int>(one.tuning)};
}

using Pair = std::array<int, 4>;

std::set<Pair> pairs_of(const Case& one) {
  const auto settings = settings_of(one);
  std::set<Pair> pairs;
  for (int a = 0; a < static_cast<int>(settings.size()); ++a)
    for (int b = a + 1; b < static_cast<int>(settings.size()); ++b)
      pairs.insert({a, settings[static_cast<std::size_t>(a)], b, settings[static_cast<std::size_t>(b)]});
  return pairs;
}

bool same_placement_as_an_earlier_preset(const std::string& preset) {
  return preset == "fsdp_full" || preset == "mics";
}

}  // namespace

std::string name_of(const Case& one) {
  return fmt::format("{} on {} ranks, {}, {} micro-batches, {}, {}{}", one.preset, one.ranks,
                     sharding::name_of(one.compute), one.micro_batches, sharding::name_of(one.activations),
                     tuning_names[static_cast<std::size_t>(one.tuning)],
                     one.vocabulary_chunk > 0 ? fmt::format(", chunks of {}", one.vocabulary_chunk) : "");
}

sharding::Placement placement_of(const Case& one) {
  sharding::Placement placement = sharding::preset(one.preset, one.compute);
  placement.activations = one.activations;
  return placement;
}

Case reference_of(const Case& one) {
  Case reference;
  reference.compute = one.compute, reference.tuning = one.tuning;
  return reference;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const std::string_view preset : sharding::preset_names())
    for (const Tuning tuning : {Tuning::full, Tuning::lora, Tuning::qlora}) {
      if (preset == "qlora_fsdp" && tuning != Tuning::qlora) continue;
      for (const int ranks : {1, 2, 3, 4, 6})
        for (const Codec compute : {Codec::fp32, Codec::bf16})
          for (const int micro_batches : {1, 3})
            for (const Activations activations : {Activations::kept, Activations::recomputed})
              cases.push_back({std::string(preset), ranks, compute, micro_batches, activations, tuning});
    }
  return cases;
}

std::vector<Case> pairwise(const std::vector<Case>& cases) {
  std::vector<std::pair<Case, std::set<Pair>>> candidates;
  std::set<Pair> open;
  for (const Case& one : cases) {
    if (one.ranks == 1 || same_placement_as_an_earlier_preset(one.preset)) continue;
    candidates.emplace_back(one, pairs_of(one));
    open.insert(candidates.back().second.begin(), candidates.back().second.end());
  }
  std::vector<Case> chosen;
  while (!open.empty()) {
    const auto gain = [&](const auto& candidate) {
      return std::count_if(candidate.second.begin(), candidate.second.end(),
                           [&](const Pair& pair) { return open.count(pair) > 0; });
    };
    const auto best = std::max_element(candidates.begin(), candidates.end(),
                                       [&](const auto& a, const auto& b) { return gain(a) < gain(b); });
    for (const Pair& pair : best->second) open.erase(pair);
    chosen.push_back(best->first);
  }
  return chosen;
}

std::vector<int> nodes_of(int ranks) {
  std::vector<int> nodes(static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank)
    nodes[static_cast<std::size_t>(rank)] = ranks >= 4 && rank >= ranks / 2;
  return nodes;
}

std::set<std::string> sound_cases_in(const std::string& log) {
  std::set<std::string> names;
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);)
    if (const std::size_t name = line.find(": ok"); name != std::string::npos)
      names.insert(line.substr(0, name));
  return names;
}

}  // namespace trireme::exactness
