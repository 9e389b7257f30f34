#include "train/token_rows.h"

#include <numeric>

#include <ATen/ATen.h>

#include "core/error.h"

namespace trireme::train {
namespace {

constexpr std::int64_t not_scored = -100;

std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
  return value ^ (value >> 31);
}

std::int64_t row_count(const io::NpyFile& file, std::int64_t sequence_len, const std::string& path) {
  if (file.shape().size() > 1 && file.shape().back() != sequence_len)
    fail(ExitCode::configuration, "{} holds rows of {} tokens but sequence_len is {}; set sequence_len to {}",
         path, file.shape().back(), sequence_len, file.shape().back());
  const auto rows = static_cast<std::int64_t>(file.elements()) / sequence_len;
  if (rows == 0)
    fail(ExitCode::configuration, "{} holds {} tokens, less than one row of sequence_len = {}", path,
         file.elements(), sequence_len);
  return rows;
}

}  // namespace

std::int64_t scored(const std::vector<sharding::Context>& contexts) {
  std::int64_t count = 0;
  for (const auto& context : contexts) count += context.labels.ne(not_scored).sum().item<std::int64_t>();
  return count;
}

TokenRows::TokenRows(const std::filesystem::path& path, TokenRowsOptions options)
    : file_(path), options_(options), rows_(row_count(file_, options.sequence_len, path.string())) {}

std::int64_t TokenRows::steps_per_epoch(const BatchShape& shape) const {
  return (rows_ + shape.rows_per_step - 1) / shape.rows_per_step;
}

const std::vector<std::int64_t>& TokenRows::order_of(std::int64_t epoch) const {
  if (ordered_epoch_ == epoch) return order_;
  order_.resize(static_cast<std::size_t>(rows_));
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  if (options_.shuffle) {
    const std::uint64_t key =
        mix(options_.seed + 0x9e3779b97f4a7c15ull * static_cast<std::uint64_t>(epoch + 1));
    for (std::size_t i = order_.size() - 1; i > 0; --i) std::swap(order_[i], order_[mix(key + i) % (i + 1)]);
  }
  ordered_epoch_ = epoch;
  return order_;
}

std::vector<sharding::Context> TokenRows::batch(std::int64_t step, const BatchShape& shape) const {
  const std::int64_t per_epoch = steps_per_epoch(shape), length = options_.sequence_len;
  const auto& order = order_of((step - 1) / per_epoch);
  const std::int64_t first = (step - 1) % per_epoch * shape.rows_per_step;
  const at::Tensor positions =
      at::arange(length, at::kLong).expand({shape.micro_batch_size, length}).contiguous();
  std::vector<sharding::Context> contexts;
  std::int64_t mine = 0;
  for (int micro = 0; micro < shape.micro_batches; ++micro) {
    sharding::Context context;
    context.tokens = at::zeros({shape.micro_batch_size, length}, at::kLong);
    context.labels = at::full({shape.micro_batch_size, length}, not_scored, at::kLong);
    context.positions = positions;
    context.seed = options_.seed;
    context.step = static_cast<std::uint64_t>(step);
    context.first_sample =
        static_cast<std::uint64_t>((step - 1) * shape.rows_per_step + mine * shape.ranks + shape.rank);
    for (std::int64_t row = 0; row < shape.micro_batch_size; ++row, ++mine) {
      const std::int64_t of_step = mine * shape.ranks + shape.rank;
      if (of_step >= shape.rows_per_step || first + of_step >= rows_) continue;
      auto* tokens = context.tokens.data_ptr<std::int64_t>() + row * length;
      file_.read(static_cast<std::uint64_t>(order[static_cast<std::size_t>(first + of_step)] * length),
                 {tokens, static_cast<std::size_t>(length)});
      std::copy(tokens + 1, tokens + length, context.labels.data_ptr<std::int64_t>() + row * length);
    }
    contexts.push_back(std::move(context));
  }
  return contexts;
}

}  // namespace trireme::train
