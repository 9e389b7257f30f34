#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace trireme::io {

/// Which checkpoints stay.
struct Retention {
  int last = 2;            ///< the newest so many, at least one
  std::int64_t every = 0;  ///< those whose step is a multiple; 0: none for this reason
  bool best = false;       ///< that of `best_of`
};

struct KeptFacts {
  std::string name;
  std::int64_t step = 0;
  std::optional<double> loss{};   ///< of training
  std::optional<double> score{};  ///< of an evaluation, lower is better
  std::string measure{};          ///< what the score is
  std::string damage{};           ///< why it says nothing of them, where it is damaged
};

/// What the manifests of all that lie there say, oldest first; of damaged ones the step alone.
std::vector<KeptFacts> facts_of(const std::filesystem::path& checkpoints);
/// Of those that have a score by the newest score's measure the one with the lowest, the earliest of equals;
/// where none has, the one with the lowest loss; null: none says either.
const KeptFacts* best_of(const std::vector<KeptFacts>& oldest_first);

/// Names of those that go, oldest first.
std::vector<std::string> surplus(const std::vector<KeptFacts>& oldest_first, const Retention& keep);

/// Removes the surplus; a checkpoint that is half removed never has a checkpoint's name. The names removed.
std::vector<std::string> prune(const std::filesystem::path& checkpoints, const Retention& keep);
/// Removes what unfinished saves left; only for the one job that may save there.
void remove_leftovers(const std::filesystem::path& checkpoints);

}  // namespace trireme::io
