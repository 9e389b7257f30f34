#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// How many columns of a product are made at once. The right factor lies in panels of so many columns, in
/// each its rows two by two: [depth / 2][panel_columns][2].
constexpr std::int64_t panel_columns = 64;

/// A part of a matrix.
struct Block {
  const BFloat16* first = nullptr;
  std::int64_t stride = 0, rows = 0, columns = 0;
};

/// left [rows, depth] times one panel of the right factor, with sums in fp32. `depth` is even.
struct PairProduct {
  const BFloat16* left = nullptr;
  std::int64_t left_stride = 0;
  /// Not 0: the left factor's rows lie as a panel's columns do, so many of them, and `left_stride` counts for
  /// nothing.
  std::int64_t left_width = 0;
  const BFloat16* panel = nullptr;
  std::int64_t rows = 0, columns = panel_columns, depth = 0;
  /// Where the sums go, and where `add` what they are added to. Null where only `rounded` is wanted.
  float* sums = nullptr;
  std::int64_t sums_stride = 0;
  bool add = false;
  /// Not null: the result goes here in bf16, not to `sums`.
  BFloat16* rounded = nullptr;
  std::int64_t rounded_stride = 0;
  /// What is read next: it is called into the second cache meanwhile.
  Block upcoming;
};

/// Whether products of pairs are what this CPU does best in bf16: it has vectors of 512 bits, but no tiles,
/// for which LibTorch's library is the better choice. Where not, nothing below but `reference` may be called.
bool multiplies_pairs();
/// Whether it has an instruction for them; else they are widened to fp32 a part of a panel at a time.
bool has_pair_instruction();

void multiply_panel(const PairProduct& product);

/// A panel of the matrix in [rows, columns]: its rows are the product's depth. Zeros fill an odd last row's
/// partner and the columns that are missing. `width`: of the panel, a multiple of 32.
void pack_rows(const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
               BFloat16* panel, std::int64_t width = panel_columns);

/// A panel of the transposed matrix: in [columns, depth] as it lies. Zeros fill missing columns. `depth` is
/// even.
void pack_columns(const BFloat16* in, std::int64_t stride, std::int64_t columns, std::int64_t depth,
                  BFloat16* panel);

namespace widened {

void multiply_panel(const PairProduct& product);

}  // namespace widened

namespace reference {

void multiply_panel(const PairProduct& product);
void pack_rows(const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
               BFloat16* panel, std::int64_t width = panel_columns);
void pack_columns(const BFloat16* in, std::int64_t stride, std::int64_t columns, std::int64_t depth,
                  BFloat16* panel);

}  // namespace reference

}  // namespace trireme::model::kernels
