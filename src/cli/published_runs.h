#pragma once
#include <map>
#include <string>
#include <vector>

#include "model/spec.h"
#include "sharding/predict/forecast.h"

namespace trireme::cli {

/// A training run that somebody published, as far as a plan can say it.
struct PublishedRun {
  int line = 0;
  std::string name, source;
  model::ModelSpec model;
  std::string device, software;
  sharding::Setting setting;
  std::int64_t sequence = 2048;
  double recomputed_share = 1;
  /// One way, of a node; 0: not stated.
  double node_link_bytes_per_s = 0;
  double tokens_per_s_per_gpu = 0;
};

struct PublishedRuns {
  std::vector<PublishedRun> runs;
  /// Rows that no plan can describe, by the reason.
  std::map<std::string, int> left_out;
};

/// Reads a CSV file with a head line: model, gpu, num_gpus, gpus_per_node, interconnect, seq_len,
/// micro_batch, precision, sharding, activation_checkpointing, tokens_per_s_per_gpu.
PublishedRuns read_published_runs(const std::string& path);

}  // namespace trireme::cli
