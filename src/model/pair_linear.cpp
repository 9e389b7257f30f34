#include "model/pair_linear.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "model/kernels/pair_products.h"
#include "model/turns.h"

namespace trireme::model {
namespace {

using kernels::Block;
using kernels::PairProduct;
using kernels::panel_columns;

/// Fewer rows do not pay for packing the weight.
constexpr std::int64_t rows_worth_packing = 32;
/// So much of the depth at once: packed panels of a real model then stay near the core.
constexpr std::int64_t depth_at_once = 1024;
/// Rows of a weight that are packed before the next panel's turn, so that memory is read in long runs.
constexpr std::int64_t rows_packed_at_once = 16;
/// Rows of the result for which a panel is read once from outer caches.
constexpr std::int64_t block_rows = 96;

const BFloat16* ours(const at::Tensor& tensor) {
  return reinterpret_cast<const BFloat16*>(tensor.const_data_ptr<at::BFloat16>());
}
BFloat16* ours_to_write(const at::Tensor& tensor) {
  return reinterpret_cast<BFloat16*>(tensor.data_ptr<at::BFloat16>());
}

std::int64_t panels_of(std::int64_t columns) {
  return (columns + panel_columns - 1) / panel_columns;
}

at::Tensor rows_of(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)}).contiguous();
}

at::Tensor result_for(const at::Tensor& x, std::int64_t columns) {
  auto shape = x.sizes().vec();
  shape.back() = columns;
  return at::empty(shape, x.options());
}

/// A panel of the weight for a part of the rows. With few panels for its threads each is packed for several.
struct Task {
  std::int64_t column = 0, width = 0, row = 0, rows = 0;
};

class Tasks {
 public:
  Tasks(std::int64_t rows, std::int64_t columns)
      : threads_(threads_in_turns()), rows_(rows), columns_(columns) {
    const std::int64_t panels = panels_of(columns), wanted = (2 * threads_ + panels - 1) / panels;
    if (threads_ > 1) row_parts_ = std::clamp<std::int64_t>(wanted, 1, (rows + block_rows - 1) / block_rows);
    each_ = (rows + row_parts_ - 1) / row_parts_;
  }

  std::int64_t count() const { return panels_of(columns_) * row_parts_; }
  std::int64_t most_rows() const { return each_; }
  Task operator[](std::int64_t task) const {
    const std::int64_t column = task / row_parts_ * panel_columns, row = task % row_parts_ * each_;
    return {column, std::clamp<std::int64_t>(columns_ - column, 0, panel_columns), row,
            std::min(each_, rows_ - row)};
  }
  /// Without columns where no panel is left.
  Task next_of_thread(std::int64_t task) const { return (*this)[task + threads_]; }

 private:
  std::int64_t threads_, rows_, columns_, row_parts_ = 1, each_ = 0;
};

/// The rows [first, first + depth) of `weight`, panels [begin, end), one after the other.
void pack_panels(const BFloat16* weight, std::int64_t columns, std::int64_t first, std::int64_t depth,
                 std::int64_t begin, std::int64_t end, BFloat16* packed) {
  const std::int64_t panel_size = (depth + 1) / 2 * 2 * panel_columns;
  for (std::int64_t row = 0; row < depth; row += rows_packed_at_once)
    for (std::int64_t panel = begin; panel < end; ++panel)
      kernels::pack_rows(weight + (first + row) * columns + panel * panel_columns, columns,
                         std::min(rows_packed_at_once, depth - row),
                         std::min(panel_columns, columns - panel * panel_columns),
                         packed + (panel - begin) * panel_size + row * panel_columns);
}

/// No more than `depth_at_once`, the same for all parts of a depth.
std::int64_t part_of(std::int64_t depth) {
  const std::int64_t parts = (depth + depth_at_once - 1) / depth_at_once;
  return ((depth + parts - 1) / parts + 1) / 2 * 2;
}

}  // namespace

std::size_t packed_rows_bytes(std::int64_t depth) {
  return static_cast<std::size_t>(block_rows * std::min((depth + 1) / 2 * 2, depth_at_once)) *
         sizeof(BFloat16);
}

std::size_t pair_product_bytes(std::int64_t rows, std::int64_t depth) {
  const std::int64_t part = part_of(depth);
  return static_cast<std::size_t>(panel_columns) *
         (static_cast<std::size_t>(part) * sizeof(BFloat16) +
          (part < depth ? static_cast<std::size_t>(rows) * sizeof(float) : 0));
}

bool takes_pairs(const at::Tensor& x, const at::Tensor& weight, bool depth_is_last) {
  const std::int64_t depth = x.size(-1);
  return x.is_cpu() && x.scalar_type() == at::kBFloat16 && weight.scalar_type() == at::kBFloat16 &&
         weight.dim() == 2 && weight.size(depth_is_last ? 1 : 0) == depth && weight.is_contiguous() &&
         depth > 0 && depth % 2 == 0 && x.numel() >= rows_worth_packing * depth &&
         kernels::multiplies_pairs();
}

at::Tensor pair_product_transposed(const at::Tensor& given, const at::Tensor& weight) {
  const at::Tensor x = rows_of(given), out = result_for(given, weight.size(0));
  const std::int64_t depth = x.size(1), columns = weight.size(0);
  const Tasks tasks(x.size(0), columns);
  take_turns(tasks.count(), 1, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor packed = at::empty({depth * panel_columns}, x.options());
    for (std::int64_t i = begin; i < end; ++i) {
      const Task task = tasks[i], next = tasks.next_of_thread(i);
      if (i == begin || task.row == 0)
        kernels::pack_columns(ours(weight) + task.column * depth, depth, task.width, depth,
                              ours_to_write(packed));
      PairProduct product;
      product.left = ours(x) + task.row * depth, product.left_stride = depth;
      product.panel = ours(packed);
      product.rows = task.rows, product.columns = task.width, product.depth = depth;
      product.rounded = ours_to_write(out) + task.row * columns + task.column;
      product.rounded_stride = columns;
      product.upcoming = {ours(weight) + next.column * depth, depth, next.width, depth};
      kernels::multiply_panel(product);
    }
  });
  return out;
}

at::Tensor pair_product(const at::Tensor& given, const at::Tensor& weight, at::Tensor out) {
  const at::Tensor x = rows_of(given);
  if (!out.defined()) out = result_for(given, weight.size(1));
  const std::int64_t depth = x.size(1), columns = weight.size(1), part = part_of(depth);
  const Tasks tasks(x.size(0), columns);
  take_turns(tasks.count(), 1, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor packed = at::empty({part * panel_columns}, x.options());
    const at::Tensor sums = part < depth
                                ? at::empty({tasks.most_rows(), panel_columns}, x.options().dtype(at::kFloat))
                                : at::Tensor();
    for (std::int64_t i = begin; i < end; ++i) {
      const Task task = tasks[i], next = tasks.next_of_thread(i);
      const auto part_at = [&](const Task& of, std::int64_t first) {
        return Block{ours(weight) + first * columns + of.column, columns, std::min(part, depth - first),
                     of.width};
      };
      for (std::int64_t first = 0; first < depth; first += part) {
        const Block here = part_at(task, first);
        kernels::pack_rows(here.first, here.stride, here.rows, here.columns, ours_to_write(packed));
        PairProduct product;
        product.left = ours(x) + task.row * depth + first, product.left_stride = depth;
        product.panel = ours(packed);
        product.rows = task.rows, product.columns = task.width, product.depth = here.rows;
        product.add = first > 0;
        if (sums.defined()) product.sums = sums.data_ptr<float>(), product.sums_stride = panel_columns;
        const bool last = first + part >= depth;
        if (last) {
          product.rounded = ours_to_write(out) + task.row * columns + task.column;
          product.rounded_stride = columns;
        }
        product.upcoming = last ? part_at(next, 0) : part_at(task, first + part);
        kernels::multiply_panel(product);
      }
    }
  });
  return out;
}

void pair_product_of_columns(const at::Tensor& left, const at::Tensor& right, const at::Tensor& into,
                             bool add) {
  const std::int64_t depth = left.size(0), m = left.size(1), n = right.size(1), panels = panels_of(n),
                     threads = threads_in_turns();
  const std::int64_t longest = std::min((depth + 1) / 2 * 2, depth_at_once);
  const at::Tensor packed = at::empty({longest * panels * panel_columns}, right.options());
  for (std::int64_t first = 0; first < depth; first += longest) {
    const std::int64_t count = std::min(longest, depth - first), paired = (count + 1) / 2 * 2;
    take_turns(panels, piece_of(panels), [&](std::int64_t begin, std::int64_t end) {
      pack_panels(ours(right), n, first, count, begin, end,
                  ours_to_write(packed) + begin * paired * panel_columns);
    });
    take_turns((m + block_rows - 1) / block_rows, 1, [&](std::int64_t begin, std::int64_t end) {
      const at::Tensor pairs = at::empty({block_rows * longest}, left.options());
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t at = block * block_rows, height = std::min(block_rows, m - at);
        // Its rows are columns of what was given: pairs of those lie as the products want them, untransposed.
        kernels::pack_rows(ours(left) + first * m + at, m, count, height, ours_to_write(pairs), block_rows);
        for (std::int64_t panel = 0; panel < panels; ++panel) {
          const std::int64_t column = panel * panel_columns;
          PairProduct product;
          product.left = ours(pairs), product.left_width = block_rows;
          product.panel = ours(packed) + panel * paired * panel_columns;
          product.rows = height, product.columns = std::min(panel_columns, n - column),
          product.depth = paired;
          product.sums = into.data_ptr<float>() + at * n + column, product.sums_stride = n;
          product.add = add || first > 0;
          const std::int64_t next = at + threads * block_rows, row = panel * count / panels;
          product.upcoming = {ours(left) + (first + row) * m + next, m, (panel + 1) * count / panels - row,
                              std::clamp<std::int64_t>(m - next, 0, block_rows)};
          kernels::multiply_panel(product);
        }
      }
    });
  }
}

}  // namespace trireme::model
