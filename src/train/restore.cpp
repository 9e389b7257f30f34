#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "core/log.h"
#include "io/checkpoint/checkpoint.h"
#include "train/checkpoints.h"
#include "train/rank_texts.h"
#include "train/saved_state.h"

namespace trireme::train {
namespace {

namespace fs = std::filesystem;

/// Newest first, as rank 0 sees them.
std::vector<std::string> names_on_all(comm::Communicator& ranks, const fs::path& folder) {
  std::string joined;
  together(ranks, [&] {
    if (ranks.rank() != 0) return;
    const std::vector<std::string> names = io::checkpoint_names(folder);
    for (auto name = names.rbegin(); name != names.rend(); ++name) joined.append(*name).append("\n");
  });
  joined = shared_text(ranks, 0, joined);
  std::vector<std::string> names;
  for (std::size_t at = 0; at < joined.size(); at = joined.find('\n', at) + 1)
    names.push_back(joined.substr(at, joined.find('\n', at) - at));
  return names;
}

bool is_adapter(std::string_view tensor) {
  return tensor.find(".lora_A.") != std::string_view::npos ||
         tensor.find(".lora_B.") != std::string_view::npos;
}

bool holds_adapters(const io::Checkpoint& checkpoint) {
  const auto& tensors = checkpoint.tensors();
  return std::any_of(tensors.begin(), tensors.end(), [](const auto& each) { return is_adapter(each.first); });
}

/// What is trained has changed since, so optimizer state and weights have no place in this job.
[[noreturn]] void refuse_missing(const io::Checkpoint& checkpoint, const std::string& name) {
  const std::string where = checkpoint.folder().string();
  if (is_adapter(name) && !holds_adapters(checkpoint))
    fail(ExitCode::configuration,
         "{}: all parameters were trained until here, this job trains adapters: optimizer state cannot be "
         "kept, "
         "the weights can: `trireme export RUN --to hf`, and name that folder as base_model and another "
         "output_dir; or take the adapter out of the job to go on as before",
         where);
  if (!is_adapter(name) && holds_adapters(checkpoint))
    fail(ExitCode::configuration,
         "{}: adapters were trained until here, this job trains all parameters: optimizer state cannot be "
         "kept, "
         "what was learnt can: `trireme export RUN --to hf` merges it; name that folder as base_model and "
         "another output_dir; or set the adapter again to go on as before",
         where);
  fail(ExitCode::configuration,
       "{} holds no {}: it was saved by a job with another model, adapter or optimizer; name another "
       "output_dir to start anew",
       where, name);
}

void require_alike(const io::Checkpoint& checkpoint, const sharding::StateSlice& slice,
                   const std::string& name) {
  const std::string where = checkpoint.folder().string();
  const auto stored = checkpoint.tensors().find(name);
  if (stored == checkpoint.tensors().end()) refuse_missing(checkpoint, name);
  if (stored->second.shape != shape_of(slice) || stored->second.dtype != slice.dtype)
    fail(ExitCode::configuration, "{}: {} has another shape or type than this job's; name another output_dir",
         where, name);
}

/// `slice` outlives what is returned.
io::Wanted wanted_of(const sharding::StateSlice& slice, std::string_view name) {
  io::Wanted wanted{name, static_cast<std::uint64_t>(slice.begin), {}};
  if (const auto here = slice.in_host_memory(); !here.empty()) {
    wanted.out = here;
  } else {
    wanted.taken = slice.bytes();
    wanted.take = [&slice](std::uint64_t at, std::span<const std::byte> bytes) { slice.write(at, bytes); };
  }
  return wanted;
}

}  // namespace

std::optional<TrainerState> Checkpoints::load() {
  comm::Communicator& ranks = engine_.control();
  const std::vector<std::string> names = names_on_all(ranks, folder_);
  for (const std::string& name : names) {
    TrainerState state;
    const auto failure = failure_of(ranks, [&] { state = read(folder_ / name); });
    if (failure) {
      if (failure->code() != ExitCode::damaged) throw Error(*failure);
      if (ranks.rank() == 0) log::warning("{}; an older checkpoint is looked for", failure->what());
      continue;
    }
    const auto shares = shares_of(trained_slices(engine_), engine_.replicas().size());
    for (std::size_t replica = 0; replica < shares.size(); ++replica)
      for (const sharding::StateSlice& slice : shares[replica])
        slice.hand_on(engine_.replicas(), static_cast<int>(replica));
    engine_.publish();
    saved_step_ = state.step;
    return state;
  }
  if (!names.empty())
    fail(ExitCode::damaged, "no checkpoint in {} is sound; move the folder away to start anew",
         folder_.string());
  return std::nullopt;
}

/// This rank's share, straight into the engine; the others that hold the same get it from this rank.
TrainerState Checkpoints::read(const fs::path& folder) {
  const io::Checkpoint checkpoint(folder);
  const std::vector<sharding::StateSlice> held = trained_slices(engine_);
  for (const sharding::StateSlice& slice : held) require_alike(checkpoint, slice, tensor_name(slice));
  comm::Communicator& replicas = engine_.replicas();
  const auto shares = shares_of(held, replicas.size());
  const auto& share = shares[static_cast<std::size_t>(replicas.rank())];
  std::vector<std::string> names;
  for (const sharding::StateSlice& slice : share) names.push_back(tensor_name(slice));
  std::vector<io::Wanted> wanted;
  for (std::size_t i = 0; i < share.size(); ++i) wanted.push_back(wanted_of(share[i], names[i]));
  bytes_read_ += checkpoint.read(wanted).bytes;
  try {
    return state_from_json(checkpoint.state());
  } catch (const std::exception& error) {
    fail(ExitCode::damaged, "{}: the training state is not complete: {}", folder.string(), error.what());
  }
}

}  // namespace trireme::train
