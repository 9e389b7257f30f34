#pragma once
#include <boost/json/value.hpp>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace trireme::train {

/// What is known of an exported model.
struct CardFacts {
  std::string base_model;
  bool adapter = false;  ///< for peft, not a whole model
  /// The checkpoint's.
  boost::json::object state;
  /// The run's metrics.jsonl; its last evaluation up to the checkpoint is shown.
  std::filesystem::path metrics;
  /// Names and values of the job's settings.
  std::vector<std::pair<std::string, std::string>> settings;
};

/// README.md of an exported folder, with the head that model hubs read: what was measured, and no more.
std::string model_card(const CardFacts& facts);

}  // namespace trireme::train
