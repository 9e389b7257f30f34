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

/// A damaged one has no loss that could be trusted; it still has a step.
KeptFacts facts_of(const fs::path& checkpoints, const std::string& name, bool with_loss) {
  KeptFacts facts{name, step_of(name).value_or(0), std::nullopt};
  if (!with_loss) return facts;
  try {
    const Checkpoint checkpoint(checkpoints / name);
    const auto* loss = checkpoint.state().if_contains("loss");
    if (loss && loss->is_number()) facts.loss = loss->to_number<double>();
  } catch (const Error&) {
    facts.loss = std::nullopt;
  }
  return facts;
}

}  // namespace

std::vector<std::string> surplus(const std::vector<KeptFacts>& oldest_first, const Retention& keep) {
  const auto newest = static_cast<std::size_t>(std::max(keep.last, 1));
  const KeptFacts* best = nullptr;
  for (const KeptFacts& facts : oldest_first)
    if (facts.loss && (!best || *facts.loss < *best->loss)) best = &facts;
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
  std::vector<KeptFacts> facts;
  for (const std::string& name : checkpoint_names(checkpoints))
    facts.push_back(facts_of(checkpoints, name, keep.best));
  const std::vector<std::string> names = surplus(facts, keep);
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
