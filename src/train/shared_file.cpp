#include "train/shared_file.h"

#include <optional>

#include "core/error.h"
#include "io/checkpoint/manifest.h"
#include "io/checkpoint/save.h"
#include "io/checkpoint/shard_layout.h"
#include "io/checkpoint/shared_shard.h"

namespace trireme::train {
namespace {

void send_text(comm::Communicator& ranks, const std::string& text, int to) {
  const auto length = static_cast<std::int64_t>(text.size());
  ranks.send(&length, 1, DType::i64, to);
  if (length > 0) ranks.send(text.data(), text.size(), DType::u8, to);
}

std::string receive_text(comm::Communicator& ranks, int from) {
  std::int64_t length = 0;
  ranks.receive(&length, 1, DType::i64, from);
  std::string text(static_cast<std::size_t>(length), ' ');
  if (length > 0) ranks.receive(text.data(), text.size(), DType::u8, from);
  return text;
}

io::ShardRecord plan_of(const std::vector<io::TensorSlice>& slices) {
  io::ShardRecord plan;
  for (const io::TensorSlice& slice : slices) {
    plan.slices.push_back(
        io::planned_slice(slice.name, slice.dtype, slice.shape, slice.begin, slice.count()));
    plan.slices.back().digests.clear();
  }
  return plan;
}

}  // namespace

SharedFile::SharedFile(comm::Communicator& ranks, int most_files) : ranks_(ranks) {
  const int files = std::min(ranks.size(), std::max(most_files, 1));
  const int each = (ranks.size() + files - 1) / files;
  file_ = ranks.rank() / each;
  first_ = file_ * each, last_ = std::min(first_ + each, ranks.size());
}

std::string SharedFile::name() const {
  return io::shard_name(file_);
}

std::vector<std::uint64_t> SharedFile::make(const std::filesystem::path& path,
                                            const std::vector<io::TensorSlice>& slices) const {
  std::vector<std::uint64_t> mine(slices.size());
  const auto bytes = [](auto& places) { return places.size() * sizeof(std::uint64_t); };
  if (!leads()) {
    send_text(ranks_, io::to_json(plan_of(slices)), first_);
    std::int64_t made = 0;
    ranks_.receive(&made, 1, DType::i64, first_);
    if (made == 0) fail(ExitCode::requeue, "{}: could not be made by rank {}", path.string(), first_);
    if (!mine.empty()) ranks_.receive(mine.data(), bytes(mine), DType::u8, first_);
    return mine;
  }
  std::vector<std::vector<io::StoredSlice>> plans{plan_of(slices).slices};
  for (int rank = first_ + 1; rank < last_; ++rank)
    plans.push_back(io::parse_shard_record(receive_text(ranks_, rank), "a rank's plan").slices);
  std::optional<Error> failure;
  std::vector<std::vector<std::uint64_t>> places;
  try {
    places = io::make_shared_shard(path, plans);
  } catch (const Error& error) {
    failure = error;
  }
  const std::int64_t made = failure ? 0 : 1;
  for (int rank = first_ + 1; rank < last_; ++rank) {
    ranks_.send(&made, 1, DType::i64, rank);
    if (failure) continue;
    const auto& theirs = places[static_cast<std::size_t>(rank - first_)];
    if (!theirs.empty()) ranks_.send(theirs.data(), bytes(theirs), DType::u8, rank);
  }
  if (failure) throw Error(*failure);
  return places[0];
}

}  // namespace trireme::train
