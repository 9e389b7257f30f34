#include "model/kernels/transpose.h"

#include <array>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/transpose.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace trireme::model::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t tile = 8;

#if HWY_TARGET == HWY_SCALAR
void transpose_tile(const std::uint16_t*, std::int64_t, std::uint16_t*, std::int64_t) {}
#else
/// Eight rows of eight become eight columns, by halves, quarters and single elements.
void transpose_tile(const std::uint16_t* in, std::int64_t stride, std::uint16_t* out,
                    std::int64_t out_stride) {
  const hn::CappedTag<std::uint16_t, tile> tag;
  const hn::Repartition<std::uint32_t, decltype(tag)> pairs;
  const hn::Repartition<std::uint64_t, decltype(tag)> quads;
  using V = hn::Vec<decltype(tag)>;
  std::array<V, tile> row, one, two;
  for (std::int64_t i = 0; i < tile; ++i) row[static_cast<std::size_t>(i)] = hn::LoadU(tag, in + i * stride);
  for (std::size_t i = 0; i < tile; i += 2) {
    one[i] = hn::InterleaveLower(tag, row[i], row[i + 1]);
    one[i + 1] = hn::InterleaveUpper(tag, row[i], row[i + 1]);
  }
  for (std::size_t base = 0; base < tile; base += 4)
    for (std::size_t i = 0; i < 2; ++i) {
      const auto a = hn::BitCast(pairs, one[base + i]), b = hn::BitCast(pairs, one[base + i + 2]);
      two[base + 2 * i] = hn::BitCast(tag, hn::InterleaveLower(pairs, a, b));
      two[base + 2 * i + 1] = hn::BitCast(tag, hn::InterleaveUpper(pairs, a, b));
    }
  for (std::size_t i = 0; i < 4; ++i) {
    const auto a = hn::BitCast(quads, two[i]), b = hn::BitCast(quads, two[i + 4]);
    const auto at = static_cast<std::int64_t>(2 * i) * out_stride;
    hn::StoreU(hn::BitCast(tag, hn::InterleaveLower(quads, a, b)), tag, out + at);
    hn::StoreU(hn::BitCast(tag, hn::InterleaveUpper(quads, a, b)), tag, out + at + out_stride);
  }
}
#endif

void transpose_all(const std::uint16_t* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                   std::uint16_t* out, std::int64_t out_stride) {
  const bool tiles = hn::MaxLanes(hn::CappedTag<std::uint16_t, tile>()) == tile;
  const std::int64_t whole_rows = tiles ? rows / tile * tile : 0,
                     whole_columns = tiles ? columns / tile * tile : 0;
  for (std::int64_t row = 0; row < whole_rows; row += tile)
    for (std::int64_t column = 0; column < whole_columns; column += tile)
      transpose_tile(in + row * stride + column, stride, out + column * out_stride + row, out_stride);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = row < whole_rows ? whole_columns : 0; column < columns; ++column)
      out[column * out_stride + row] = in[row * stride + column];
}

}  // namespace trireme::model::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::model::kernels {
HWY_EXPORT(transpose_all);

void transpose(const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
               BFloat16* out, std::int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(transpose_all)(&in->bits, stride, rows, columns, &out->bits, out_stride);
}

}  // namespace trireme::model::kernels
#endif
