#pragma once
#include "core/kernel_args.h"
#include "core/philox.h"
#include "cuda/kernels/runs.h"

namespace trireme::cuda::on_device {

/// A group some numbers of one sample; a thread draws four at once.
template <typename T>
struct Dropout {
  static constexpr int threads = 256, width = 4, draws_a_group = 1024;
  kernels::DropoutMask args;
  /// A draw of 24 bits drops below it.
  std::uint32_t dropped_below;

  explicit Dropout(const kernels::DropoutMask& given)
      : args(given), dropped_below(static_cast<std::uint32_t>(ceil(given.dropout * 0x1p24))) {}

  std::int64_t groups() const { return args.samples * parts(args.each); }

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    const std::int64_t of_sample = (args.each + width * draws_a_group - 1) / (width * draws_a_group);
    for_blocks(group, args.samples * of_sample, [&](std::int64_t i) {
      const std::int64_t sample = i / of_sample, first = i % of_sample * draws_a_group;
      const auto number = static_cast<std::uint32_t>(args.first_sample +
                                                     static_cast<std::uint64_t>(sample) * args.sample_stride);
      T* const out = static_cast<T*>(args.out) + sample * args.each;
      for (std::int64_t draw = first + group.thread();
           draw < first + draws_a_group && draw * width < args.each; draw += group.threads())
        draw_four(number, draw, out);
    });
  }

 private:
  static std::int64_t parts(std::int64_t each) {
    return (each + width * draws_a_group - 1) / (width * draws_a_group);
  }

  TRIREME_DEVICE void draw_four(std::uint32_t sample, std::int64_t draw, T* out) const {
    const auto place = static_cast<std::uint64_t>(draw);
    const auto bits =
        philox({static_cast<std::uint32_t>(place),
                static_cast<std::uint32_t>(place >> 32) ^ static_cast<std::uint32_t>(args.step >> 32), sample,
                static_cast<std::uint32_t>(args.step)},
               args.key);
    const std::int64_t left = args.each - draw * width;
    float values[width];
    for (int k = 0; k < width; ++k)
      values[k] = bits[static_cast<std::size_t>(k)] >> 8 < dropped_below ? 0.0f : args.kept;
    store_numbers(values, out + draw * width, left < width ? static_cast<int>(left) : width);
  }
};

}  // namespace trireme::cuda::on_device
