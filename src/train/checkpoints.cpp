#include "train/checkpoints.h"

#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "core/log.h"
#include "io/aligned_memory.h"
#include "io/checkpoint/folder.h"
#include "io/checkpoint/manifest.h"
#include "io/checkpoint/save.h"
#include "io/checkpoint/shared_shard.h"
#include "io/file.h"
#include "train/rank_texts.h"
#include "train/saved_state.h"
#include "train/shared_file.h"

namespace trireme::train {

namespace fs = std::filesystem;

namespace {

/// Whole pages, from where direct writes can take them.
std::size_t room_of(const sharding::StateSlice& slice) {
  return (slice.bytes() + io::direct_alignment - 1) / io::direct_alignment * io::direct_alignment;
}

}  // namespace

Checkpoints::Checkpoints(fs::path folder, sharding::Engine& engine, CheckpointSettings settings)
    : folder_(std::move(folder)), engine_(engine), settings_(std::move(settings)) {
  if (settings_.asynchronous) prepare_copy();
}

Checkpoints::~Checkpoints() {
  ending_ = true;
}

void Checkpoints::save(const TrainerState& state, const SaveFacts& facts) {
  finish();
  saving_ = state, facts_ = facts;
  std::vector<io::TensorSlice> slices = slices_to_save();
  std::int64_t bytes = 0;
  for (const io::TensorSlice& slice : slices) bytes += static_cast<std::int64_t>(slice.size());
  engine_.control().all_reduce(&bytes, &bytes, 1, DType::i64, comm::Reduction::sum);
  const auto failure = failure_of(engine_.control(), [&] {
    begin(io::checkpoint_name(state.step, facts.epoch, facts.samples), static_cast<std::uint64_t>(bytes));
  });
  if (failure) return end(failure);
  temporary_ = shared_text(engine_.control(), 0, temporary_);
  std::vector<std::uint64_t> places;
  if (shares_files()) {
    const auto refused = failure_of(engine_.control(), [&] { places = places_in_shared_file(slices); });
    if (refused) return end(refused);
  }
  if (settings_.asynchronous) copy_while_training();
  write(std::move(slices), std::move(places));
  if (!settings_.asynchronous) finish();
}

/// What this rank writes of what it holds.
std::vector<sharding::StateSlice> Checkpoints::share() {
  comm::Communicator& replicas = engine_.replicas();
  return shares_of(trained_slices(engine_), replicas.size())[static_cast<std::size_t>(replicas.rank())];
}

/// Memory for the copy, which the system backs while the first steps run.
void Checkpoints::prepare_copy() {
  std::size_t bytes = 0;
  for (const sharding::StateSlice& slice : share()) bytes += room_of(slice);
  copy_ = io::aligned_memory(bytes);
  writer_.post([this] { io::make_resident(copy_, ending_); });
}

/// This rank's share, where it will be copied to when training goes on.
std::vector<io::TensorSlice> Checkpoints::slices_to_save() {
  std::vector<io::TensorSlice> slices;
  to_copy_.assign(engine_.model().groups.size(), {});
  std::byte* next = copy_.as<std::byte>();
  for (const sharding::StateSlice& slice : share()) {
    io::TensorSlice& saved = slices.emplace_back();
    saved.name = tensor_name(slice), saved.dtype = slice.dtype, saved.shape = shape_of(slice);
    saved.begin = static_cast<std::uint64_t>(slice.begin);
    if (settings_.asynchronous) {
      to_copy_[static_cast<std::size_t>(slice.group)].push_back({next, slice});
      saved.bytes = std::span(next, slice.bytes());
      next += room_of(slice);
    } else if (const auto here = slice.in_host_memory(); !here.empty()) {
      saved.bytes = here;
    } else {
      saved.made = slice.bytes();
      saved.make = [slice](std::uint64_t at, std::span<std::byte> into) { slice.read(at, into); };
    }
  }
  return slices;
}

/// The next step updates a group once it is copied; until then it leaves the state as it is.
void Checkpoints::copy_while_training() {
  copied_.assign(to_copy_.size(), Event::already_set());
  for (const sharding::Op& op : engine_.schedule(sharding::ScheduleOptions::Purpose::train, 1).ops) {
    if (op.kind != sharding::OpKind::snapshot) continue;
    const auto group = static_cast<std::size_t>(op.target);
    copied_[group] = copier_.post([parts = std::move(to_copy_[group])] {
      for (const Copy& part : parts) part.from.read_past_caches(part.to);
    });
  }
  engine_.executor().before_updates(
      [copied = copied_](int group) { copied[static_cast<std::size_t>(group)].wait(); });
}

void Checkpoints::begin(const std::string& name, std::uint64_t bytes) {
  if (engine_.control().rank() != 0) return;
  work_.wait();
  temporary_ = io::begin_save(folder_, name, bytes).string();
}

bool Checkpoints::shares_files() const {
  return engine_.control().size() > settings_.most_files;
}

std::vector<std::uint64_t> Checkpoints::places_in_shared_file(const std::vector<io::TensorSlice>& slices) {
  const SharedFile shared(engine_.control(), settings_.most_files);
  return shared.make(fs::path(temporary_) / shared.name(), slices);
}

void Checkpoints::write(std::vector<io::TensorSlice> slices, std::vector<std::uint64_t> places) {
  const bool shared = shares_files();
  const SharedFile file(engine_.control(), settings_.most_files);
  path_ = fs::path(temporary_) / file.name();
  stage_ = Stage::writing;
  work_ = writer_.post(
      [this, shared, slices = std::move(slices), places = std::move(places)] {
        const io::ShardOptions options{.reread = settings_.reread};
        record_ = shared ? io::write_shared_part(path_, slices, places, options)
                         : io::write_shard(path_, slices, options);
      },
      std::exchange(copied_, {}));
}

/// Once all ranks of a file have written.
void Checkpoints::seal() {
  stage_ = Stage::sealing;
  work_ = Event::already_set();
  if (!SharedFile(engine_.control(), settings_.most_files).leads()) return;
  work_ = writer_.post([this] { io::seal_shared_shard(path_, record_); });
}

void Checkpoints::commit() {
  const std::vector<std::string> records = gathered_texts(engine_.control(), io::to_json(record_));
  stage_ = Stage::committing;
  work_ = Event::already_set();
  if (engine_.control().rank() != 0) return;
  boost::json::object state = to_json(saving_);
  state["epoch"] = facts_.epoch, state["samples"] = facts_.samples;
  if (std::isfinite(facts_.loss)) state["loss"] = facts_.loss;
  if (facts_.score && std::isfinite(*facts_.score))
    state["score"] = *facts_.score, state["measure"] = facts_.measure;
  state["about"] = settings_.about;
  work_ = writer_.post([this, records, state = std::move(state)] {
    std::vector<io::ShardRecord> shards;
    for (const std::string& text : records) shards.push_back(io::parse_shard_record(text, "a rank's shard"));
    io::commit_save(temporary_, io::joined_records(std::move(shards)), state);
    io::prune(folder_, settings_.keep);
  });
}

void Checkpoints::finish() {
  while (stage_ != Stage::idle) advance(true);
}

void Checkpoints::advance(bool waiting) {
  if (stage_ == Stage::idle || !all_ranks_did(work_, waiting)) return;
  const auto failure = failure_of(engine_.control(), [this] { work_.wait(); });
  if (failure || stage_ == Stage::committing) return end(failure);
  if (stage_ == Stage::writing && shares_files()) return seal();
  commit();
}

/// Every rank asks at the same place between steps, so nothing is sent while training computes.
bool Checkpoints::all_ranks_did(const Event& work, bool waiting) {
  if (waiting) return true;
  std::int32_t pending = work.ready() ? 0 : 1;
  engine_.control().all_reduce(&pending, &pending, 1, DType::i32, comm::Reduction::max);
  return pending == 0;
}

void Checkpoints::end(const std::optional<Error>& failure) {
  stage_ = Stage::idle;
  if (!failure) {
    saved_step_ = saving_.step;
    return;
  }
  ++failures_;
  last_failure_ = failure;
  if (engine_.control().rank() != 0) return;
  log::error("the checkpoint of step {} was not saved: {}", saving_.step, failure->what());
  // A disk that is full gets its space back at once; where this fails too, the next save tries again.
  work_ = writer_.post([this] {
    try {
      io::remove_leftovers(folder_);
    } catch (const Error& problem) {
      log::error("{}", problem.what());
    }
  });
}

}  // namespace trireme::train
