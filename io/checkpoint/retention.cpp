#include "io/checkpoint/retention.h"

#include <algorithm>

#include "core/error.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/folder.h"
#include "io/disk_work.h"
#include "io/file.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;

void read_score(const boost::json::object& state, KeptFacts& facts) {
  const auto* loss = state.if_contains("loss");
  if (loss && loss->is_number()) facts.loss = loss->to_number<double>();
  const auto *score = state.if_contains("score"), *measure = state.if_contains("measure");
  if (!score || !score->is_number() || !measure || !measure->is_string()) return;
  facts.score = score->to_number<double>();
  facts.measure = std::string(measure->as_string());
}

/// A damaged one has no loss that could be trusted; it still has a step.
KeptFacts facts_of(const fs::path& checkpoints, const std::string& name, bool with_score) {
  KeptFacts facts;
  facts.name = name, facts.step = step_of(name).value_or(0);
  if (with_score) try {
      read_score(Checkpoint(checkpoints / name).state(), facts);
    } catch (const Error& error) {
      return {.name = name, .step = facts.step, .damage = error.what()};
    }
  return facts;
}

std::vector<KeptFacts> facts_of(const fs::path& checkpoints, bool with_score) {
  std::vector<KeptFacts> facts;
  for (const std::string& name : checkpoint_names(checkpoints))
    facts.push_back(facts_of(checkpoints, name, with_score));
  return facts;
}

}  // namespace

std::vector<KeptFacts> facts_of(const fs::path& checkpoints) {
  return facts_of(checkpoints, true);
}

const KeptFacts* best_of(const std::vector<KeptFacts>& oldest_first) {
  const auto newest = std::find_if(oldest_first.rbegin(), oldest_first.rend(),
                                   [](const KeptFacts& facts) { return facts.score.has_value(); });
  const KeptFacts* best = nullptr;
  for (const KeptFacts& facts : oldest_first) {
    const bool scored = newest != oldest_first.rend();
    if (scored && (!facts.score || facts.measure != newest->measure)) continue;
    const auto& value = scored ? facts.score : facts.loss;
    const auto least = !best ? std::nullopt : scored ? best->score : best->loss;
    if (value && (!least || *value < *least)) best = &facts;
  }
  return best;
}

std::vector<std::string> surplus(const std::vector<KeptFacts>& oldest_first, const Retention& keep) {
  const auto newest = static_cast<std::size_t>(std::max(keep.last, 1));
  const KeptFacts* best = best_of(oldest_first);
  std::vector<std::string> names;
  for (std::size_t i = 0; i + newest < oldest_first.size(); ++i) {
    const KeptFacts& facts = oldest_first[i];
    if (keep.every > 0 && facts.step % keep.every == 0) continue;
    if (keep.best && &facts == best) continue;
    names.push_back(facts.name);
  }
  return names;
}

std::vector<std::string> prune(const fs::path& checkpoints, const Retention& keep) {
  const std::vector<std::string> names = surplus(facts_of(checkpoints, keep.best), keep);
  for (const std::string& name : names) remove_whole(checkpoints / name);
  if (!names.empty()) sync_folder(checkpoints);
  return names;
}

void remove_leftovers(const fs::path& checkpoints) {
  for (const std::string& name : checkpoint_names(checkpoints)) {
    if (!name.ends_with(replaced_suffix)) continue;
    const fs::path newer = checkpoints / name.substr(0, name.size() - replaced_suffix.size());
    if (fs::exists(newer)) remove_whole(checkpoints / name);
  }
  for (const std::string& name : temporary_names(checkpoints))
    on_disk("removing " + (checkpoints / name).string(),
            [&](std::error_code& status) { fs::remove_all(checkpoints / name, status); });
}

}  // namespace trireme::io
