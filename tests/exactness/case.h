#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "sharding/placement.h"

namespace trireme::exactness {

enum class Tuning : std::uint8_t { full, lora, qlora };

/// One training run that must follow the run of one rank on the same samples.
struct Case {
  std::string preset = "ddp";
  int ranks = 1;
  sharding::Codec compute = sharding::Codec::fp32;
  int micro_batches = 1;
  sharding::Activations activations = sharding::Activations::kept;
  Tuning tuning = Tuning::full;
  /// Rows of the vocabulary that are a unit; 0: all.
  std::int64_t vocabulary_chunk = 0;
  friend bool operator==(const Case&, const Case&) = default;
};

/// "zero3 on 4 ranks, bf16, 3 micro-batches, recomputed, lora"
std::string name_of(const Case& one);
sharding::Placement placement_of(const Case& one);
/// One rank, ddp, one micro-batch, nothing recomputed: what a case is compared with.
Case reference_of(const Case& one);

/// Every preset × {1, 2, 3, 4, 6 ranks} × {fp32, bf16} × {1, 3 micro-batches} × {kept, recomputed} × {full,
/// LoRA, QLoRA}, less the presets that keep the base in 4 bits where it is not.
std::vector<Case> all_cases();
/// Few of them, on more than one rank, in which every two settings of different kinds meet.
std::vector<Case> pairwise(const std::vector<Case>& cases);

/// Ranks from four on are on two nodes.
std::vector<int> nodes_of(int ranks);

/// A case that was wrong is run again, or a second call would end well over it.
std::set<std::string> sound_cases_in(const std::string& log);

}  // namespace trireme::exactness
