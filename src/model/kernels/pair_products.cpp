#include "model/kernels/pair_products.h"

#include <algorithm>

#include "core/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#pragma GCC push_options
// GCC 12 takes its own "undefined" operands for a mistake of ours.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")
#endif

namespace trireme::model::kernels {

#if defined(__x86_64__)
namespace {

/// Six rows by four vectors: with the four of the panel and one of the left factor they fill the registers.
constexpr int tile_rows = 6, tile_vectors = 4, lanes = 16;

__m512bh pairs(const BFloat16* from) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
}

__m512bh same_pair(const BFloat16* from) {
  int pair;
  __builtin_memcpy(&pair, from, sizeof(pair));
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

/// Which lanes of a tile's vectors are columns of the product.
struct TileMasks {
  explicit TileMasks(std::int64_t columns) {
    for (int v = 0; v < tile_vectors; ++v) {
      const std::int64_t left = columns - v * lanes;
      of[v] = left >= lanes ? __mmask16{0xffff}
              : left <= 0   ? __mmask16{0}
                            : static_cast<__mmask16>((1 << left) - 1);
    }
  }
  __mmask16 of[tile_vectors];
};

template <int rows, bool left_is_panel>
void multiply_tile(const PairProduct& work, const TileMasks& masks, std::int64_t first) {
  __m512 sums[rows][tile_vectors];
  const std::int64_t row_step = left_is_panel ? 2 : work.left_stride,
                     pair_step = left_is_panel ? 2 * work.left_width : 2;
  const BFloat16* left = work.left + first * row_step;
#pragma GCC unroll 6
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < tile_vectors; ++v) sums[r][v] = _mm512_setzero_ps();
  if (work.add)
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < tile_vectors; ++v)
        sums[r][v] =
            _mm512_maskz_loadu_ps(masks.of[v], work.sums + (first + r) * work.sums_stride + v * lanes);
  const BFloat16* panel = work.panel;
  for (std::int64_t k = 0; k < work.depth; k += 2, panel += 2 * panel_columns, left += pair_step) {
    __m512bh right[tile_vectors];
#pragma GCC unroll 4
    for (int v = 0; v < tile_vectors; ++v) right[v] = pairs(panel + 2 * lanes * v);
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r) {
      const __m512bh pair = same_pair(left + r * row_step);
#pragma GCC unroll 4
      for (int v = 0; v < tile_vectors; ++v) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], pair, right[v]);
    }
  }
  if (work.rounded)
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < tile_vectors; ++v)
        _mm256_mask_storeu_epi16(work.rounded + (first + r) * work.rounded_stride + v * lanes, masks.of[v],
                                 reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(sums[r][v])));
  else
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < tile_vectors; ++v)
        _mm512_mask_storeu_ps(work.sums + (first + r) * work.sums_stride + v * lanes, masks.of[v],
                              sums[r][v]);
}

/// Calls a block into the second cache in so many parts, so that nothing waits for it.
class Prefetch {
 public:
  Prefetch(const Block& block, std::int64_t parts)
      : block_(block),
        row_lines_((block.columns + line - 1) / line),
        each_(parts > 0 ? (block.rows * row_lines_ + parts - 1) / parts : 0) {}

  void part() {
    for (std::int64_t i = 0; i < each_ && row_ < block_.rows; ++i) {
      __builtin_prefetch(block_.first + row_ * block_.stride + at_ * line, 0, 2);
      if (++at_ == row_lines_) at_ = 0, ++row_;
    }
  }

 private:
  static constexpr std::int64_t line = 64 / sizeof(BFloat16);
  const Block& block_;
  std::int64_t row_lines_, each_, row_ = 0, at_ = 0;
};

template <bool left_is_panel>
void multiply_rows(const PairProduct& work) {
  const TileMasks masks(work.columns);
  Prefetch upcoming(work.upcoming, work.rows / tile_rows);
  std::int64_t row = 0;
  for (; row + tile_rows <= work.rows; row += tile_rows) {
    upcoming.part();
    multiply_tile<tile_rows, left_is_panel>(work, masks, row);
  }
  switch (work.rows - row) {
    case 5:
      return multiply_tile<5, left_is_panel>(work, masks, row);
    case 4:
      return multiply_tile<4, left_is_panel>(work, masks, row);
    case 3:
      return multiply_tile<3, left_is_panel>(work, masks, row);
    case 2:
      return multiply_tile<2, left_is_panel>(work, masks, row);
    case 1:
      return multiply_tile<1, left_is_panel>(work, masks, row);
    default:
      return;
  }
}

/// Sixteen rows of sixteen pairs become sixteen rows of the panel.
void transpose_pairs(const BFloat16* in, std::int64_t stride, std::int64_t rows, BFloat16* out) {
  __m512i row[lanes], half[lanes];
  for (int i = 0; i < lanes; ++i)
    row[i] = i < rows ? _mm512_loadu_si512(in + i * stride) : _mm512_setzero_si512();
  for (int i = 0; i < lanes; i += 2) {
    half[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
    half[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
  }
  for (int i = 0; i < lanes; i += 4) {
    row[i] = _mm512_unpacklo_epi64(half[i], half[i + 2]);
    row[i + 1] = _mm512_unpackhi_epi64(half[i], half[i + 2]);
    row[i + 2] = _mm512_unpacklo_epi64(half[i + 1], half[i + 3]);
    row[i + 3] = _mm512_unpackhi_epi64(half[i + 1], half[i + 3]);
  }
  for (int i = 0; i < 4; ++i)
    for (int h = 0; h < lanes; h += 8) {
      half[h + i] = _mm512_shuffle_i32x4(row[h + i], row[h + i + 4], 0x88);
      half[h + i + 4] = _mm512_shuffle_i32x4(row[h + i], row[h + i + 4], 0xdd);
    }
  for (int i = 0; i < 8; ++i) {
    row[i] = _mm512_shuffle_i32x4(half[i], half[i + 8], 0x88);
    row[i + 8] = _mm512_shuffle_i32x4(half[i], half[i + 8], 0xdd);
  }
  for (int i = 0; i < lanes; ++i) _mm512_storeu_si512(out + 2 * panel_columns * i, row[i]);
}

/// AMX for bf16, of which GCC 12's __builtin_cpu_supports knows nothing.
bool multiplies_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned amx_bf16 = 1U << 22;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & amx_bf16) != 0;
}

}  // namespace

bool multiplies_pairs() {
  static const bool can = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512dq") && !multiplies_tiles();
  return can;
}

bool has_pair_instruction() {
  static const bool has = __builtin_cpu_supports("avx512bf16");
  return has;
}

void multiply_panel(const PairProduct& work) {
  if (!has_pair_instruction()) return widened::multiply_panel(work);
  work.left_width > 0 ? multiply_rows<true>(work) : multiply_rows<false>(work);
}

void pack_rows(const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
               BFloat16* panel, std::int64_t width) {
  // CPUs do not foresee runs as short as these. A prefetch behind the last row does no harm.
  constexpr std::int64_t ahead = 16;
  // Of two vectors of 32, the first and the last halves, element by element in turns.
  alignas(64) std::uint16_t order[2][2 * lanes];
  for (int i = 0; i < 2 * lanes; ++i)
    for (int h = 0; h < 2; ++h)
      order[h][i] = static_cast<std::uint16_t>(i / 2 + h * lanes + (i % 2) * 2 * lanes);
  const __m512i low = _mm512_load_si512(order[0]), high = _mm512_load_si512(order[1]);
  for (std::int64_t r = 0; r < rows; r += 2, panel += 2 * width)
    for (std::int64_t part = 0; part < width / (2 * lanes); ++part) {
      const std::int64_t left = columns - part * 2 * lanes;
      const __mmask32 mask = left >= 2 * lanes ? 0xffffffffU : left <= 0 ? 0U : (1U << left) - 1;
      const BFloat16* from = in + r * stride + part * 2 * lanes;
      __builtin_prefetch(from + ahead * stride);
      __builtin_prefetch(from + (ahead + 1) * stride);
      const __m512i first = _mm512_maskz_loadu_epi16(mask, from);
      const __m512i second =
          r + 1 < rows ? _mm512_maskz_loadu_epi16(mask, from + stride) : _mm512_setzero_si512();
      BFloat16* out = panel + part * 4 * lanes;
      _mm512_storeu_si512(out, _mm512_permutex2var_epi16(first, low, second));
      _mm512_storeu_si512(out + 2 * lanes, _mm512_permutex2var_epi16(first, high, second));
    }
}

void pack_columns(const BFloat16* in, std::int64_t stride, std::int64_t columns, std::int64_t depth,
                  BFloat16* panel) {
  const std::int64_t whole = depth / (2 * lanes) * 2 * lanes;
  for (std::int64_t k = 0; k < whole; k += 2 * lanes)
    for (std::int64_t c = 0; c < panel_columns; c += lanes)
      transpose_pairs(in + c * stride + k, stride, columns - c, panel + k * panel_columns + 2 * c);
  if (whole < depth) {
    if (columns <= 0) return;
    reference::pack_columns(in + whole, stride, columns, depth - whole, panel + whole * panel_columns);
  }
}

#else

bool multiplies_pairs() {
  return false;
}
bool has_pair_instruction() {
  return false;
}
void multiply_panel(const PairProduct& work) {
  reference::multiply_panel(work);
}
void pack_rows(const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
               BFloat16* panel, std::int64_t width) {
  reference::pack_rows(in, stride, rows, columns, panel, width);
}
void pack_columns(const BFloat16* in, std::int64_t stride, std::int64_t columns, std::int64_t depth,
                  BFloat16* panel) {
  reference::pack_columns(in, stride, columns, depth, panel);
}

#endif

}  // namespace trireme::model::kernels

#if defined(__x86_64__)
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif

namespace trireme::model::kernels::reference {

void multiply_panel(const PairProduct& work) {
  for (std::int64_t r = 0; r < work.rows; ++r)
    for (std::int64_t c = 0; c < work.columns; ++c) {
      float sum = work.add ? work.sums[r * work.sums_stride + c] : 0.0f;
      for (std::int64_t k = 0; k < work.depth; ++k)
        sum += static_cast<float>(work.left[work.left_width > 0 ? (k / 2 * work.left_width + r) * 2 + k % 2
                                                                : r * work.left_stride + k]) *
               static_cast<float>(work.panel[k / 2 * 2 * panel_columns + 2 * c + k % 2]);
      if (work.rounded) {
        work.rounded[r * work.rounded_stride + c] = BFloat16(sum);
      } else {
        work.sums[r * work.sums_stride + c] = sum;
      }
    }
}

void pack_rows(const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
               BFloat16* panel, std::int64_t width) {
  for (std::int64_t k = 0; k < (rows + 1) / 2 * 2; ++k)
    for (std::int64_t c = 0; c < width; ++c)
      panel[k / 2 * 2 * width + 2 * c + k % 2] = k < rows && c < columns ? in[k * stride + c] : BFloat16{};
}

void pack_columns(const BFloat16* in, std::int64_t stride, std::int64_t columns, std::int64_t depth,
                  BFloat16* panel) {
  for (std::int64_t k = 0; k < depth; ++k)
    for (std::int64_t c = 0; c < panel_columns; ++c)
      panel[k / 2 * 2 * panel_columns + 2 * c + k % 2] = c < columns ? in[c * stride + k] : BFloat16{};
}

}  // namespace trireme::model::kernels::reference
