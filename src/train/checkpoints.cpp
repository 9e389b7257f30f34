#include "train/checkpoints.h"

#include <boost/json.hpp>
#include <exception>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/error.h"
#include "core/log.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/manifest.h"
#include "io/checkpoint/save.h"
#include "io/checkpoint/shard.h"
#include "sharding/failures.h"

namespace trireme::train {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// One rank's text on all ranks.
std::string shared_text(comm::Communicator& ranks, int from, std::string text) {
  auto length = static_cast<std::int64_t>(text.size());
  ranks.broadcast(&length, 1, DType::i64, from);
  text.resize(static_cast<std::size_t>(length));
  ranks.broadcast(text.data(), text.size(), DType::u8, from);
  return text;
}

/// Runs `work` on every rank; when it throws on one, all throw the lowest such rank's error.
void together(comm::Communicator& ranks, const std::function<void()>& work) {
  std::exception_ptr failure;
  try {
    work();
  } catch (...) {
    failure = std::current_exception();
  }
  std::int32_t failed = failure ? 1 : 0;
  ranks.all_reduce(&failed, &failed, 1, DType::i32, comm::Reduction::max);
  if (failed) sharding::throw_first_failure(ranks, failure);
}

/// All ranks' texts, on all ranks.
std::vector<std::string> gathered_texts(comm::Communicator& ranks, const std::string& text) {
  std::vector<std::string> all;
  for (int rank = 0; rank < ranks.size(); ++rank)
    all.push_back(shared_text(ranks, rank, rank == ranks.rank() ? text : ""));
  return all;
}

std::string tensor_name(const sharding::StateSlice& slice) {
  return slice.state == "parameter" ? "model/" + slice.parameter->name
                                    : fmt::format("optimizer/{}/{}", slice.state, slice.parameter->name);
}

json::object to_json(const TrainerState& state) {
  return {{"step", state.step},
          {"updates", state.updates},
          {"loss_scale",
           {{"scale", state.loss_scale.scale},
            {"steps", state.loss_scale.steps},
            {"last_overflow", state.loss_scale.last_overflow},
            {"hysteresis_left", state.loss_scale.hysteresis_left}}}};
}

TrainerState state_from_json(const json::object& object) {
  TrainerState state;
  state.step = object.at("step").to_number<std::int64_t>();
  state.updates = object.at("updates").to_number<std::int64_t>();
  const json::object& scale = object.at("loss_scale").as_object();
  state.loss_scale = {scale.at("scale").to_number<double>(), scale.at("steps").to_number<std::int64_t>(),
                      scale.at("last_overflow").to_number<std::int64_t>(),
                      scale.at("hysteresis_left").to_number<int>()};
  return state;
}

}  // namespace

Checkpoints::Checkpoints(fs::path folder, sharding::Engine& engine, int keep)
    : folder_(std::move(folder)), engine_(engine), keep_(keep) {}

void Checkpoints::save(const TrainerState& state) {
  comm::Communicator& ranks = engine_.control();
  const bool first = ranks.rank() == 0;
  std::vector<io::TensorSlice> slices;
  std::int64_t bytes = 0;
  engine_.for_each_slice([&](const sharding::StateSlice& slice) {
    if (!slice.trainable || !slice.first_replica || slice.count == 0) return;
    const std::size_t size = static_cast<std::size_t>(slice.count) * size_of(slice.dtype);
    slices.push_back({tensor_name(slice), slice.dtype, slice.parameter->shape,
                      static_cast<std::uint64_t>(slice.begin), std::span(slice.data, size)});
    bytes += static_cast<std::int64_t>(size);
  });
  ranks.all_reduce(&bytes, &bytes, 1, DType::i64, comm::Reduction::sum);

  const std::string name = fmt::format("step-{:08d}", state.step);
  std::string temporary;
  together(ranks, [&] {
    if (first) temporary = io::begin_save(folder_, name, static_cast<std::uint64_t>(bytes)).string();
  });
  temporary = shared_text(ranks, 0, temporary);
  std::string record;
  together(ranks, [&] {
    record = io::to_json(io::write_shard(fs::path(temporary) / io::shard_name(ranks.rank()), slices));
  });
  const std::vector<std::string> records = gathered_texts(ranks, record);
  together(ranks, [&] {
    if (!first) return;
    std::vector<io::ShardRecord> shards;
    for (const std::string& text : records) shards.push_back(io::parse_shard_record(text, "a rank's shard"));
    io::commit_save(temporary, std::move(shards), to_json(state));
    io::prune(folder_, keep_);
  });
}

std::optional<TrainerState> Checkpoints::load() {
  comm::Communicator& ranks = engine_.control();
  std::string chosen;
  together(ranks, [&] {
    if (ranks.rank() != 0 || !fs::exists(folder_)) return;
    const io::Found found = io::newest_checkpoint(folder_);
    for (const std::string& sentence : found.refused)
      log::warning("{}; an older checkpoint is looked for", sentence);
    if (found.checkpoint) chosen = found.checkpoint->folder().string();
    if (!found.checkpoint && !found.refused.empty())
      fail(ExitCode::damaged, "no checkpoint in {} is sound; move the folder away to start anew",
           folder_.string());
  });
  chosen = shared_text(ranks, 0, chosen);
  if (chosen.empty()) return std::nullopt;

  TrainerState state;
  together(ranks, [&] {
    const io::Checkpoint checkpoint(chosen);
    state = state_from_json(checkpoint.state());
    engine_.for_each_slice([&](const sharding::StateSlice& slice) {
      if (!slice.trainable || slice.count == 0) return;
      const std::string name = tensor_name(slice);
      const auto stored = checkpoint.tensors().find(name);
      if (stored == checkpoint.tensors().end())
        fail(ExitCode::damaged, "{} has no tensor {}: it belongs to another model or optimizer", chosen,
             name);
      if (stored->second.shape != slice.parameter->shape || stored->second.dtype != slice.dtype)
        fail(ExitCode::damaged, "{}: {} has another shape or dtype than this job's", chosen, name);
      checkpoint.read(name, static_cast<std::uint64_t>(slice.begin),
                      std::span(slice.data, static_cast<std::size_t>(slice.count) * size_of(slice.dtype)));
    });
  });
  engine_.publish();
  return state;
}

}  // namespace trireme::train
