#pragma once
#include <functional>
#include <string>
#include <vector>

#include "comm/bench/layout.h"
#include "comm/bench/measure.h"
#include "comm/bench/record.h"
#include "comm/bench/site.h"

namespace trireme::comm::bench {

struct CollectiveOptions {
  std::vector<Collective> collectives;
  /// Names of backends, "openmpi" for the MPI library itself, or "all".
  std::vector<std::string> backends;
  std::vector<std::size_t> sizes;
  DType dtype = DType::f32;
  Reduction reduction = Reduction::sum;
  Span span = Span::world;
  bool in_place = false;
  bool check = false;
  bool plain_memory = false;
  MeasureOptions measure;
};

/// Throws a usage error for combinations that mean nothing.
void validate(const CollectiveOptions& options);

/// Called on every rank when all sizes of a collective are done.
using RecordSink = std::function<void(const std::vector<Record>&)>;

/// Every rank calls it. The records are those of the group that this rank is in.
void run_collectives(const Site& site, const CollectiveOptions& options, const RecordSink& sink);

}  // namespace trireme::comm::bench
