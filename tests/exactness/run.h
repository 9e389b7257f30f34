#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/exactness/case.h"

namespace trireme::exactness {

/// What a run leaves: the loss of each of its 20 steps, and its trained parameters, whole.
struct Run {
  std::vector<double> losses;
  std::map<std::string, std::vector<float>> parameters;
};

/// Trains the small reference model on documents of different lengths, seven a step, so that ranks have
/// different numbers of tokens and some none at all. Ranks are threads.
Run train(const Case& one, const std::filesystem::path& model_folder);

struct Difference {
  double loss = 0;        ///< the worst relative one of all steps
  double parameters = 0;  ///< how far apart the ends are, over how far one rank went from the beginning
};

/// What is allowed: rounding for exact wires, and what quantised ones are worth.
Difference allowed(const Case& one);

/// The runs of one rank, each of which is needed for many cases.
class References {
 public:
  explicit References(std::filesystem::path model_folder) : model_folder_(std::move(model_folder)) {}
  Difference from(const Case& one, const Run& run);

 private:
  struct Known {
    Case of;
    Run run, beginning;
  };
  const Known& known(const Case& reference);

  std::filesystem::path model_folder_;
  std::vector<Known> known_;
};

}  // namespace trireme::exactness
