#pragma once
#include <string>

namespace trireme::testing {

inline std::string minimal_job(const std::string& more = "") {
  return "base_model: models/tiny\ndatasets:\n  - path: tokens.npy\nlearning_rate: 2e-4\n" + more;
}

}  // namespace trireme::testing
