#include "train/row_batches.h"

#include <algorithm>
#include <numeric>
#include <span>

#include <ATen/ATen.h>

namespace trireme::train {
namespace {

constexpr std::int64_t not_scored = -100;

std::span<std::int64_t> row_of(const at::Tensor& tensor, std::int64_t row) {
  const auto length = static_cast<std::size_t>(tensor.size(1));
  return {tensor.data_ptr<std::int64_t>() + row * tensor.size(1), length};
}

/// Document bounds of a batch whose rows hold documents of these lengths; undefined where each row is one.
void set_bounds(sharding::Context& context, const std::vector<std::vector<std::int64_t>>& lengths) {
  if (std::all_of(lengths.begin(), lengths.end(), [](const auto& row) { return row.empty(); })) return;
  std::vector<std::int32_t> bounds{0};
  const auto add = [&](std::int64_t length) {
    if (length == 0) return;
    bounds.push_back(bounds.back() + static_cast<std::int32_t>(length));
    context.longest_document = std::max(context.longest_document, length);
  };
  for (const auto& row : lengths) {
    for (const std::int64_t length : row) add(length);
    add(context.tokens.size(1) - std::accumulate(row.begin(), row.end(), std::int64_t{0}));
  }
  context.document_bounds = at::tensor(bounds, at::kInt);
}

}  // namespace

std::int64_t scored(const std::vector<sharding::Context>& contexts) {
  std::int64_t count = 0;
  for (const auto& context : contexts) count += context.labels.ne(not_scored).sum().item<std::int64_t>();
  return count;
}

std::int64_t RowBatches::steps_per_epoch(const BatchShape& shape) const {
  return (rows_->rows() + shape.rows_per_step - 1) / shape.rows_per_step;
}

std::vector<sharding::Context> RowBatches::batch(std::int64_t step, const BatchShape& shape) const {
  const std::int64_t per_epoch = steps_per_epoch(shape), length = order_.sequence_len, rows = rows_->rows();
  const std::int64_t epoch = (step - 1) / per_epoch, first = (step - 1) % per_epoch * shape.rows_per_step;
  constexpr std::uint64_t epochs_apart = 0x9e3779b97f4a7c15ull;
  const io::Permutation shuffled(static_cast<std::uint64_t>(rows),
                                 order_.seed + epochs_apart * static_cast<std::uint64_t>(epoch + 1));
  std::vector<sharding::Context> contexts;
  std::int64_t mine = 0;
  for (int micro = 0; micro < shape.micro_batches; ++micro) {
    sharding::Context context;
    context.tokens = at::zeros({shape.micro_batch_size, length}, at::kLong);
    context.labels = at::full({shape.micro_batch_size, length}, not_scored, at::kLong);
    context.positions = at::arange(length, at::kLong).expand({shape.micro_batch_size, length}).contiguous();
    context.seed = order_.seed;
    context.step = static_cast<std::uint64_t>(step);
    context.sample_stride = static_cast<std::uint64_t>(shape.ranks);
    context.first_sample =
        static_cast<std::uint64_t>((step - 1) * shape.rows_per_step + mine * shape.ranks + shape.rank);
    std::vector<std::vector<std::int64_t>> documents(static_cast<std::size_t>(shape.micro_batch_size));
    for (std::int64_t row = 0; row < shape.micro_batch_size; ++row, ++mine) {
      const std::int64_t of_step = mine * shape.ranks + shape.rank;
      if (of_step >= shape.rows_per_step || first + of_step >= rows) continue;
      const auto place = static_cast<std::uint64_t>(first + of_step);
      documents[static_cast<std::size_t>(row)] = rows_->read(
          static_cast<std::int64_t>(order_.shuffle ? shuffled(place) : place),
          {row_of(context.tokens, row), row_of(context.labels, row), row_of(context.positions, row)});
    }
    set_bounds(context, documents);
    contexts.push_back(std::move(context));
  }
  return contexts;
}

}  // namespace trireme::train
