#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/spec.h"
#include "sharding/predict/memory.h"
#include "tests/exactness/case.h"

namespace trireme::peaks {

/// A model by its form alone: weights are made up.
struct Form {
  std::string name;
  model::ModelSpec spec;
  std::int64_t rows = 1, sequence = 64;
};

/// Of the rank that has the most.
struct Peak {
  std::uint64_t foretold = 0, measured = 0;
  double error() const {
    return measured > 0 ? static_cast<double>(foretold) / static_cast<double>(measured) - 1 : 0;
  }
};

/// What is kept in each tier, and of the device what comes and goes with a step.
struct Peaks {
  Peak device, host, nvme, activations;
};

/// The third step of a case, ranks as threads.
Peaks measure(const Form& form, const exactness::Case& one);

}  // namespace trireme::peaks
