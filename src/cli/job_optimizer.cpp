#include "cli/job_optimizer.h"

#include <regex>
#include <utility>
#include <vector>

#include "optim/adamw.h"
#include "optim/sgd.h"

namespace trireme::cli {
namespace {

/// The first group whose expression is in a parameter's name says how much it decays.
optim::DecayOf decay_of(const jobs::JobSpec& job) {
  std::vector<std::pair<std::regex, double>> groups;
  for (const jobs::DecayGroup& group : job.weight_decay_groups)
    groups.emplace_back(std::regex(group.match), group.weight_decay);
  if (groups.empty()) return optim::decay_all(job.weight_decay);
  return [groups = std::move(groups), otherwise = job.weight_decay](const sharding::Parameter& parameter) {
    for (const auto& [match, decay] : groups)
      if (std::regex_search(parameter.name, match)) return decay;
    return otherwise;
  };
}

}  // namespace

std::unique_ptr<const sharding::Optimizer> optimizer_of(const jobs::JobSpec& job) {
  if (job.optimizer == "sgd") {
    optim::SgdSettings settings;
    settings.weight_decay = decay_of(job);
    settings.momentum = job.sgd_momentum;
    return std::make_unique<optim::Sgd>(settings);
  }
  optim::AdamWSettings settings;
  settings.beta1 = job.adam_beta1, settings.beta2 = job.adam_beta2, settings.epsilon = job.adam_epsilon;
  settings.weight_decay = decay_of(job);
  if (job.optimizer == "adamw_bnb_8bit" || job.optimizer == "adamw_8bit" ||
      job.optimizer == "paged_adamw_8bit")
    return std::make_unique<optim::AdamW8>(settings);
  return std::make_unique<optim::AdamW>(settings);
}

}  // namespace trireme::cli
