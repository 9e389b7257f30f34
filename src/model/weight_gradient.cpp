#include "model/weight_gradient.h"

#include <algorithm>
#include <array>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>

#include "model/kernels/transpose.h"

namespace trireme::model {
namespace {

/// So many rows of the result at once, from so many rows of the factors: the transposed block of the left
/// one stays in the first-level cache, a panel of the right one in the second.
constexpr std::int64_t block = 32, depth = 512, panel = 256;

const BFloat16* ours(const at::BFloat16* data) {
  return reinterpret_cast<const BFloat16*>(data);
}
BFloat16* ours(at::BFloat16* data) {
  return reinterpret_cast<BFloat16*>(data);
}

/// The right factor's rows [first, first + rows), panel after panel, in pairs of rows.
void pack(const at::Tensor& right, std::int64_t first, std::int64_t rows, at::BFloat16* packed) {
  const std::int64_t columns = right.size(1), paired = (rows + 1) / 2 * 2;
  const at::BFloat16* from = right.const_data_ptr<at::BFloat16>() + first * columns;
  at::parallel_for(0, (columns + panel - 1) / panel, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t at = p * panel, width = std::min(panel, columns - at);
      kernels::pair_rows(ours(from + at), columns, rows, width, ours(packed + at * paired));
    }
  });
}

void multiply_bf16(const at::Tensor& left, const at::Tensor& right, const at::Tensor& into, bool add) {
  const std::int64_t rows = left.size(0), m = left.size(1), n = right.size(1);
  const at::Tensor packed = at::empty({(std::min(rows, depth) + 1) / 2 * 2 * n}, right.options());
  for (std::int64_t first = 0; first < rows; first += depth) {
    const std::int64_t count = std::min(depth, rows - first), paired = (count + 1) / 2 * 2;
    pack(right, first, count, packed.data_ptr<at::BFloat16>());
    const bool sums = add || first > 0;
    at::parallel_for(0, (m + block - 1) / block, 1, [&](std::int64_t begin, std::int64_t end) {
      alignas(64) std::array<at::BFloat16, block * depth> turned;
      for (std::int64_t b = begin; b < end; ++b) {
        const std::int64_t at = b * block, height = std::min(block, m - at);
        const at::BFloat16* from = left.const_data_ptr<at::BFloat16>() + first * m + at;
        kernels::transpose(ours(from), m, count, height, ours(turned.data()));
        if (paired != count) {
          // A row of the transposed block must be as long as its partner is deep.
          for (std::int64_t row = height - 1; row >= 0; --row) {
            std::copy_backward(turned.data() + row * count, turned.data() + (row + 1) * count,
                               turned.data() + row * paired + count);
            turned[static_cast<std::size_t>(row * paired + count)] = 0;
          }
        }
        float* out = into.data_ptr<float>() + at * n;
        for (std::int64_t column = 0; column < n; column += panel) {
          const std::int64_t width = std::min(panel, n - column);
          at::native::cpublas::brgemm(height, width, paired, paired, width, n, sums, turned.data(),
                                      packed.const_data_ptr<at::BFloat16>() + column * paired, out + column,
                                      true);
        }
      }
      at::native::cpublas::brgemm_release(true);
    });
  }
}

bool multiplies_bf16(const at::Tensor& left) {
  return left.is_cpu() && left.scalar_type() == at::kBFloat16 && __builtin_cpu_supports("avx512bf16");
}

}  // namespace

void add_product(const at::Tensor& left, const at::Tensor& right, const at::Tensor& into, bool add) {
  if (multiplies_bf16(left)) return multiply_bf16(left.contiguous(), right.contiguous(), into, add);
  at::Tensor target = into;
  if (left.scalar_type() == at::kFloat) {
    if (add) {
      target.addmm_(left.t(), right);
    } else {
      at::mm_out(target, left.t(), right);
    }
    return;
  }
  const at::Tensor product = at::mm(left.t(), right);
  add ? target.add_(product) : target.copy_(product);
}

at::Tensor product_gradient(const sharding::GradientSinkPtr& sink, const at::Tensor& weight,
                            const at::Tensor& left, const at::Tensor& right) {
  sharding::GradientSink::Slot* slot = sink ? sink->find(weight) : nullptr;
  if (!slot) return at::mm(left.t(), right).to(weight.scalar_type());
  add_product(left, right, slot->into, slot->add);
  slot->add = slot->written = true;
  return {};
}

}  // namespace trireme::model
