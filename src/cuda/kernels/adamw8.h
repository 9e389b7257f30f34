#pragma once
#include "cuda/kernels/adamw.h"
#include "offload/optimizer/adamw8.h"
#include "offload/optimizer/dynamic_codes.h"

namespace trireme::cuda::on_device {

/// A group of few threads a block of states, which are kept between finding their scale and coding them.
template <typename Gradient, typename Values>
struct AdamW8 {
  static constexpr int threads = 32, width = 8;
  static constexpr int runs = static_cast<int>(offload::state_block) / width;
  using Finder = offload::CodeFinder;
  static constexpr int buckets = static_cast<int>(Finder::buckets);
  struct Tables {
    float means[256], squares[256];
    std::uint32_t mean_entries[buckets], square_entries[buckets];
  };
  offload::AdamWFactors factors;
  Values values;
  const Gradient* gradients;
  offload::AdamW8Run run;
  offload::CodeTables codes;

  AdamW8(const offload::AdamWFactors& step, const offload::AdamW8Run& given,
         const offload::CodeTables& tables)
      : factors(step),
        values(given),
        gradients(static_cast<const Gradient*>(given.gradient)),
        run(given),
        codes(tables) {}

  std::int64_t blocks() const { return (run.count + offload::state_block - 1) / offload::state_block; }

  TRIREME_DEVICE void fill(Tables& tables, int thread, int threads_there) const {
    for (int i = thread; i < 256; i += threads_there)
      tables.means[i] = codes.mean_codes[i], tables.squares[i] = codes.square_codes[i];
    for (int i = thread; i < buckets; i += threads_there)
      tables.mean_entries[i] = codes.mean_entries[i], tables.square_entries[i] = codes.square_entries[i];
  }

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group, const Tables& tables) const {
    const std::int64_t all = (run.count + offload::state_block - 1) / offload::state_block;
    for_blocks(group, all, [&](std::int64_t block) { update(group, tables, block); });
  }

 private:
  template <typename Group>
  TRIREME_DEVICE void update(const Group& group, const Tables& tables, std::int64_t block) const {
    constexpr int turns = (runs + Group::fewest - 1) / Group::fewest;
    float means[turns][width], squares[turns][width];
    float mean_most = 0, square_most = 0;
    const float mean_scale = run.mean_scale[block], square_scale = run.square_scale[block];
    for (int turn = 0; turn < turns; ++turn) {
      const std::int64_t i = first_of(group, block, turn);
      const int n = length_of(group, block, turn);
      if (n == 0) continue;
      const Pack<std::uint8_t, width> mean_codes = load_pack<width>(run.mean + i, n),
                                      square_codes = load_pack<width>(run.square + i, n);
      float gradient[width], value[width];
      load(gradients + i, n, gradient), values.get(i, n, value);
      for (int k = 0; k < width; ++k) {
        float& mean = means[turn][k];
        float& square = squares[turn][k];
        mean = moved_mean(tables.means[mean_codes.values[k]], mean_scale, gradient[k]);
        square = moved_square(tables.squares[square_codes.values[k]], square_scale, gradient[k]);
        value[k] = moved_value(value[k], mean, square);
        if (k < n) mean_most = fmaxf(mean_most, fabsf(mean)), square_most = fmaxf(square_most, square);
      }
      values.put(i, n, value);
    }
    mean_most = group.max(mean_most), square_most = group.max(square_most);
    if (group.thread() == 0) run.mean_scale[block] = mean_most, run.square_scale[block] = square_most;
    const float mean_inverse = inverse_of(mean_most), square_inverse = inverse_of(square_most);
    for (int turn = 0; turn < turns; ++turn) {
      const std::int64_t i = first_of(group, block, turn);
      const int n = length_of(group, block, turn);
      if (n == 0) continue;
      Pack<std::uint8_t, width> mean_codes, square_codes;
      for (int k = 0; k < width; ++k) {
        mean_codes.values[k] = signed_code(tables.mean_entries, means[turn][k] * mean_inverse);
        square_codes.values[k] =
            static_cast<std::uint8_t>(rank_of(tables.square_entries, squares[turn][k] * square_inverse));
      }
      store_pack<width>(mean_codes, run.mean + i, n), store_pack<width>(square_codes, run.square + i, n);
    }
  }

  template <typename Group>
  static TRIREME_DEVICE std::int64_t first_of(const Group& group, std::int64_t block, int turn) {
    return block * offload::state_block + (group.thread() + turn * group.threads()) * width;
  }
  template <typename Group>
  TRIREME_DEVICE int length_of(const Group& group, std::int64_t block, int turn) const {
    const std::int64_t left = run.count - first_of(group, block, turn);
    if (group.thread() + turn * group.threads() >= runs || left <= 0) return 0;
    return left < width ? static_cast<int>(left) : width;
  }

  // As offload/optimizer/scalar.h.
  TRIREME_DEVICE float moved_mean(float number, float scale, float gradient) const {
    return fmaf(number, factors.beta1 * scale, gradient * factors.mean_gain);
  }
  TRIREME_DEVICE float moved_square(float number, float scale, float gradient) const {
    const float added = gradient * factors.root_gain;
    return fmaf(added, added, number * (factors.beta2 * scale));
  }
  TRIREME_DEVICE float moved_value(float value, float mean, float square) const {
    const float denominator = fmaf(sqrtf(square), factors.root_scale, factors.epsilon);
    return fmaf(-factors.step_size, mean / denominator, value * factors.keep);
  }
  static TRIREME_DEVICE float inverse_of(float scale) { return scale >= 0x1p-126f ? 1.0f / scale : 0.0f; }
  /// How many codes a part of a scale is away from zero (offload/optimizer/dynamic_codes.h).
  static TRIREME_DEVICE int rank_of(const std::uint32_t* entries, float part) {
    const std::uint32_t bits = bits_of(part) & 0x7fffffffu, upper = bits >> Finder::bucket_shift;
    if (upper < Finder::first_bucket) return 0;
    const std::uint32_t bucket = upper - Finder::first_bucket, last = static_cast<std::uint32_t>(buckets) - 1,
                        entry = entries[bucket < last ? bucket : last];
    return static_cast<int>(entry & 0xffu) + ((bits & 0xffffu) < entry >> 8 ? 0 : 1);
  }
  static TRIREME_DEVICE std::uint8_t signed_code(const std::uint32_t* entries, float part) {
    const int rank = rank_of(entries, part), zero = Finder::signed_zero, most = Finder::most_negative;
    return static_cast<std::uint8_t>(part < 0 ? zero - (rank < most ? rank : most) : zero + rank);
  }
};

}  // namespace trireme::cuda::on_device
