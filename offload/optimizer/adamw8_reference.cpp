#include <algorithm>
#include <array>
#include <cmath>

#include "offload/optimizer/adamw8.h"
#include "offload/optimizer/dynamic_codes.h"
#include "offload/optimizer/scalar.h"

namespace trireme::offload::reference {
namespace {

using Block = std::array<float, state_block>;

float encode(bool is_signed, const Block& values, std::int64_t count, std::uint8_t* codes) {
  float scale = 0;
  for (std::int64_t i = 0; i < count; ++i)
    scale = std::max(scale, std::abs(values[static_cast<std::size_t>(i)]));
  const float inverse = scalar::inverse_scale(scale);
  for (std::int64_t i = 0; i < count; ++i)
    codes[i] = nearest_code(is_signed, values[static_cast<std::size_t>(i)] * inverse);
  return scale;
}

}  // namespace

void adamw8(const AdamWFactors& factors, const AdamW8Run& run) {
  const auto &means = dynamic_codes(true), &squares = dynamic_codes(false);
  Block mean{}, square{};
  for (std::int64_t first = 0, block = 0; first < run.count; first += state_block, ++block) {
    const std::int64_t count = std::min(state_block, run.count - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t at = first + i;
      const auto within = static_cast<std::size_t>(i);
      const float gradient = scalar::load(run.gradient, run.gradient_type, at);
      mean[within] = scalar::moved_mean(factors, means[run.mean[at]], run.mean_scale[block], gradient);
      square[within] =
          scalar::moved_square(factors, squares[run.square[at]], run.square_scale[block], gradient);
      scalar::put(run, at,
                  scalar::moved_value(factors, scalar::value(run, at), mean[within], square[within]));
    }
    run.mean_scale[block] = encode(true, mean, count, run.mean + first);
    run.square_scale[block] = encode(false, square, count, run.square + first);
  }
}

}  // namespace trireme::offload::reference
