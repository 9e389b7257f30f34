#pragma once
#include <cstdint>
#include <vector>

#include "io/data/documents.h"

namespace trireme::io {

/// How the documents of several sources become one epoch.
struct MixtureRules {
  /// Where each source's documents end, and how often an epoch has each of them: 2 is twice, 0.5 a half that
  /// is drawn once for the run.
  std::vector<std::uint64_t> ends;
  std::vector<double> weights;
  /// Documents that are kept from training, chosen before the weights count: a share below 1, or a number.
  double validation = 0;
  /// Of documents that are equal to the token and to what is scored, the first alone is kept.
  bool drop_duplicates = false;
  std::uint64_t seed = 0;
};

/// Numbers of documents, in the order of the sources.
struct Mixture {
  std::vector<std::uint32_t> training, validation;
  std::uint64_t duplicates = 0;
  /// Documents of which nothing is scored, and which are left out.
  std::uint64_t unscored = 0;
};

/// Depends on the documents and the rules alone. Throws an Error (configuration) where nothing is left to
/// train on.
Mixture mix(const DocumentSource& documents, const MixtureRules& rules);

}  // namespace trireme::io
