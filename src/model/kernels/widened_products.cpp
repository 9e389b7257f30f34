#include <algorithm>

#include "model/kernels/pair_products.h"

#if defined(__x86_64__)
// GCC 12 takes its own "undefined" operands for a mistake of ours.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,fma")
#include "model/kernels/narrow_lanes-inl.h"

namespace trireme::model::kernels::widened {
namespace {

constexpr int tile_rows = 6, tile_vectors = 4, lanes = 16;
/// So much of a panel is widened at once, for the first cache, and so many rows use it before the next part's
/// turn; their sums lie in the second cache.
constexpr std::int64_t part_depth = 128, block_rows = 43 * tile_rows;

/// Of each pair the first number, and the second.
__m512 firsts(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
}
__m512 seconds(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000U))));
}

void widen_panel(const BFloat16* panel, std::int64_t depth, float* wide) {
  for (std::int64_t k = 0; k < depth; k += 2, panel += 2 * panel_columns, wide += 2 * panel_columns)
    for (int v = 0; v < tile_vectors; ++v) {
      const __m512i pairs = _mm512_loadu_si512(panel + 2 * lanes * v);
      _mm512_store_ps(wide + lanes * v, firsts(pairs));
      _mm512_store_ps(wide + panel_columns + lanes * v, seconds(pairs));
    }
}

__mmask16 first_lanes(std::int64_t count) {
  return static_cast<__mmask16>((1U << std::clamp<std::int64_t>(count, 0, lanes)) - 1);
}

/// A tile's rows of the left factor from row `first` and `k` on: each row's numbers one after the other or,
/// where they lie as a panel's columns do, each number of the depth for all rows.
template <bool left_is_panel>
struct WideRows {
  static constexpr std::int64_t row_step = left_is_panel ? 1 : part_depth, depth_step = left_is_panel ? 8 : 1;
  alignas(64) float numbers[std::max(tile_rows * row_step, part_depth* depth_step)];

  void take(const PairProduct& work, std::int64_t first, int rows, std::int64_t k, std::int64_t depth) {
    if constexpr (left_is_panel) {
      const BFloat16* from = work.left + k * work.left_width + 2 * first;
      const auto mask = static_cast<__mmask8>((1U << rows) - 1);
      for (std::int64_t i = 0; i < depth; i += 2, from += 2 * work.left_width) {
        const __m512i pairs = _mm512_castsi256_si512(_mm256_maskz_loadu_epi32(mask, from));
        _mm256_store_ps(numbers + i * depth_step, _mm512_castps512_ps256(firsts(pairs)));
        _mm256_store_ps(numbers + (i + 1) * depth_step, _mm512_castps512_ps256(seconds(pairs)));
      }
    } else {
      for (int r = 0; r < rows; ++r) {
        const BFloat16* from = work.left + (first + r) * work.left_stride + k;
        for (std::int64_t i = 0; i < depth; i += lanes) {
          const __mmask16 mask = first_lanes(depth - i);
          const __m512i halves = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from + i));
          _mm512_mask_storeu_ps(numbers + r * row_step + i, mask,
                                _mm512_castsi512_ps(_mm512_slli_epi32(halves, 16)));
        }
      }
    }
  }
};

template <int rows, bool left_is_panel>
void add_tile(const WideRows<left_is_panel>& left, const float* panel, std::int64_t depth, float* into) {
  using Left = WideRows<left_is_panel>;
  __m512 sums[rows][tile_vectors];
#pragma GCC unroll 6
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < tile_vectors; ++v) sums[r][v] = _mm512_load_ps(into + r * panel_columns + v * lanes);
  for (std::int64_t k = 0; k < depth; ++k, panel += panel_columns) {
    __m512 right[tile_vectors];
#pragma GCC unroll 4
    for (int v = 0; v < tile_vectors; ++v) right[v] = _mm512_load_ps(panel + v * lanes);
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r) {
      const __m512 same = _mm512_set1_ps(left.numbers[r * Left::row_step + k * Left::depth_step]);
#pragma GCC unroll 4
      for (int v = 0; v < tile_vectors; ++v) sums[r][v] = _mm512_fmadd_ps(same, right[v], sums[r][v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < tile_vectors; ++v) _mm512_store_ps(into + r * panel_columns + v * lanes, sums[r][v]);
}

template <bool left_is_panel>
void add_rows(int rows, const WideRows<left_is_panel>& left, const float* panel, std::int64_t depth,
              float* into) {
  switch (rows) {
    case 6:
      return add_tile<6>(left, panel, depth, into);
    case 5:
      return add_tile<5>(left, panel, depth, into);
    case 4:
      return add_tile<4>(left, panel, depth, into);
    case 3:
      return add_tile<3>(left, panel, depth, into);
    case 2:
      return add_tile<2>(left, panel, depth, into);
    default:
      return add_tile<1>(left, panel, depth, into);
  }
}

template <bool left_is_panel>
void multiply_block(const PairProduct& work, std::int64_t block, std::int64_t rows, float* sums) {
  alignas(64) float panel[part_depth * panel_columns];
  WideRows<left_is_panel> left;
  for (std::int64_t k = 0; k < work.depth; k += part_depth) {
    const std::int64_t depth = std::min(part_depth, work.depth - k);
    widen_panel(work.panel + k * panel_columns, depth, panel);
    for (std::int64_t r = 0; r < rows; r += tile_rows) {
      const int height = static_cast<int>(std::min<std::int64_t>(tile_rows, rows - r));
      left.take(work, block + r, height, k, depth);
      add_rows(height, left, panel, depth, sums + r * panel_columns);
    }
  }
}

}  // namespace

void multiply_panel(const PairProduct& work) {
  alignas(64) float sums[block_rows * panel_columns];
  for (std::int64_t block = 0; block < work.rows; block += block_rows) {
    const std::int64_t rows = std::min(block_rows, work.rows - block);
    for (std::int64_t r = 0; r < rows; ++r)
      for (int v = 0; v < tile_vectors; ++v)
        _mm512_store_ps(sums + r * panel_columns + v * lanes,
                        work.add
                            ? _mm512_maskz_loadu_ps(first_lanes(work.columns - v * lanes),
                                                    work.sums + (block + r) * work.sums_stride + v * lanes)
                            : _mm512_setzero_ps());
    work.left_width > 0 ? multiply_block<true>(work, block, rows, sums)
                        : multiply_block<false>(work, block, rows, sums);
    for (std::int64_t r = 0; r < rows; ++r)
      for (int v = 0; v < tile_vectors; ++v) {
        const __m512 sum = _mm512_load_ps(sums + r * panel_columns + v * lanes);
        const __mmask16 mask = first_lanes(work.columns - v * lanes);
        if (work.rounded) {
          _mm256_mask_storeu_epi16(work.rounded + (block + r) * work.rounded_stride + v * lanes, mask,
                                   narrow_by_integers(sum));
        } else {
          _mm512_mask_storeu_ps(work.sums + (block + r) * work.sums_stride + v * lanes, mask, sum);
        }
      }
  }
}

}  // namespace trireme::model::kernels::widened

#pragma GCC pop_options
#pragma GCC diagnostic pop
#else

void trireme::model::kernels::widened::multiply_panel(const PairProduct& work) {
  reference::multiply_panel(work);
}

#endif
