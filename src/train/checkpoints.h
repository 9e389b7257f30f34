#pragma once
#include <atomic>
#include <boost/json/value.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/error.h"
#include "core/lane.h"
#include "io/checkpoint/retention.h"
#include "io/checkpoint/shard.h"
#include "sharding/engine.h"
#include "train/trainer.h"

namespace trireme::train {

struct CheckpointSettings {
  io::Retention keep{};
  io::Reread reread = io::Reread::sampled;
  /// Training goes on while a copy of the state is written; otherwise it waits, and needs no copy.
  bool asynchronous = true;
  /// Where there are more ranks, neighbours share a file: HDF5 readers open all of them at once.
  int most_files = 128;
  /// Written into each manifest, for people: the job, its ranks and placement.
  boost::json::object about{};
};

/// What a checkpoint's name and manifest say beside the state.
struct SaveFacts {
  double epoch = 0;
  std::int64_t samples = 0;
  double loss = 0;  ///< the mean of training since the save before
  /// What an evaluation of this state found, lower is better; the best is kept by it, or else by the loss.
  std::optional<double> score{};
  std::string measure{};  ///< what the score is: "SET/loss", …
};

/// A run's checkpoints of what is trained; frozen parameters come from the base model again. Each byte is
/// written by one of the ranks that hold it, and any number of ranks under any placement reads it back, each
/// byte by one again. Every rank makes the same calls.
///
/// A save that fails is reported and counted; training and the older checkpoints are none the worse for it.
class Checkpoints {
 public:
  /// `engine` outlives this.
  Checkpoints(std::filesystem::path folder, sharding::Engine& engine, CheckpointSettings settings);
  ~Checkpoints();

  /// Begins a save between two steps, or does all of it where saves are not asynchronous. The state is copied
  /// while the next step computes, each group before its update: nobody else may change it until then. A save
  /// that is still going on is waited for: there is one copy at most.
  void save(const TrainerState& state, const SaveFacts& facts);
  /// Between steps: takes a save that is going on to its next stage where that is possible without waiting.
  void advance() { advance(false); }
  /// Waits for the save that is going on.
  void finish();

  /// The step of the newest checkpoint that was saved or loaded; -1: none.
  std::int64_t saved_step() const { return saved_step_; }
  std::int64_t failures() const { return failures_; }
  const std::optional<Error>& last_failure() const { return last_failure_; }

  /// Puts the newest sound checkpoint into the engine; nothing when there is none. A damaged one is named in
  /// the log, and the one before it is taken.
  std::optional<TrainerState> load();
  /// Bytes that this rank asked of the disk in `load`.
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  enum class Stage : std::uint8_t { idle, writing, sealing, committing };
  struct Copy {
    std::byte* to;
    sharding::StateSlice from;
  };

  std::vector<sharding::StateSlice> share();
  void prepare_copy();
  std::vector<io::TensorSlice> slices_to_save();
  void copy_while_training();
  void begin(const std::string& name, std::uint64_t bytes);
  bool shares_files() const;
  std::vector<std::uint64_t> places_in_shared_file(const std::vector<io::TensorSlice>& slices);
  void write(std::vector<io::TensorSlice> slices, std::vector<std::uint64_t> places);
  void seal();
  void commit();
  void advance(bool waiting);
  bool all_ranks_did(const Event& work, bool waiting);
  void end(const std::optional<Error>& failure);
  TrainerState read(const std::filesystem::path& folder);

  std::filesystem::path folder_;
  sharding::Engine& engine_;
  CheckpointSettings settings_;
  Buffer copy_;
  std::vector<std::vector<Copy>> to_copy_;  ///< by group
  std::atomic<bool> ending_ = false;
  std::int64_t saved_step_ = -1, failures_ = 0;
  std::optional<Error> last_failure_;
  std::uint64_t bytes_read_ = 0;

  Stage stage_ = Stage::idle;
  TrainerState saving_;
  SaveFacts facts_;
  std::string temporary_;
  std::filesystem::path path_;
  io::ShardRecord record_;
  Event work_ = Event::already_set();
  std::vector<Event> copied_;  ///< by group
  /// The next step waits for copies, not for files, which are written one save after the other. Last, so that
  /// they end before what they use.
  Lane copier_{"checkpoint copy"}, writer_{"checkpoint", Lane::Urgency::background};
};

}  // namespace trireme::train
