#pragma once
#include "offload/optimizer/adamw8.h"
#include "offload/optimizer/halves.h"
#include "offload/optimizer/scalar.h"
#include "offload/optimizer/sgd.h"
#include "tests/cuda/kernel_site.h"

namespace trireme::tests {

/// What trains on a device against the host's references, to the bit.
class UpdatesOnDevice : public KernelSite {
 public:
  using KernelSite::KernelSite;

  void compare_vectors() {
    for (const std::size_t count : {1u, 3u, 4u, 255u, 1027u, 5000u})
      for (const std::size_t shift : {0u, 1u}) {
        SCOPED_TRACE(testing::Message() << count << " elements, shifted by " << shift);
        compare_add(count, shift);
        for (const DType from : types)
          for (const DType into : types) compare_convert(count, shift, from, into);
        compare_squares(count, shift);
        compare_splittable(count, shift);
      }
  }

  void compare_adamw() {
    for (const DType gradient : types)
      for (const Kept kept : kinds)
        for (const std::size_t count : {7u, 1500u})
          for (const std::size_t shift : {0u, 1u}) {
            SCOPED_TRACE(testing::Message()
                         << name_of(gradient) << " gradients, kind " << static_cast<int>(kept) << ", "
                         << count << " elements, shifted by " << shift);
            compare_adamw(gradient, kept, count, shift);
          }
  }

  void compare_adamw8() {
    for (const DType gradient : types)
      for (const Kept kept : kinds)
        for (const std::size_t count : {1u, 1003u})
          for (const std::size_t shift : {0u, 1u}) {
            SCOPED_TRACE(testing::Message()
                         << name_of(gradient) << " gradients, kind " << static_cast<int>(kept) << ", "
                         << count << " elements, shifted by " << shift);
            compare_adamw8(gradient, kept, count, shift);
          }
  }

  void compare_sgd() {
    for (const Kept kept : kinds)
      for (const bool momentum : {false, true})
        for (const bool nesterov : {false, true})
          for (const std::size_t count : {1u, 1030u}) {
            SCOPED_TRACE(testing::Message()
                         << "kind " << static_cast<int>(kept) << ", " << count << " elements");
            compare_sgd(kept, count, momentum, nesterov);
          }
  }

 private:
  enum class Kept { master, f32, bf16, f16, halves };
  static constexpr Kept kinds[] = {Kept::master, Kept::f32, Kept::bf16, Kept::f16, Kept::halves};
  static constexpr std::int64_t steps = 3;

  /// The values of a run on the host and on the device.
  struct Values {
    Values(UpdatesOnDevice& site, Kept kept, std::size_t count, std::size_t shift)
        : kind(kept),
          master(normal(count, 7, 0.05f)),
          copy(count * size_of(type())),
          lower(count),
          placed_master(site.place(master, shift)),
          placed_copy(site.place(begin_copy(), shift * size_of(type()))),
          placed_lower(site.place(lower, shift)) {}

    DType type() const {
      return kind == Kept::bf16 || kind == Kept::halves ? DType::bf16
             : kind == Kept::f16                        ? DType::f16
                                                        : DType::f32;
    }
    const Bytes& begin_copy() {
      if (kind == Kept::halves)
        offload::split(master.data(), reinterpret_cast<BFloat16*>(copy.data()), lower.data(),
                       static_cast<std::int64_t>(master.size()));
      return copy;
    }
    offload::UpdatedValues on_host() { return picked(master.data(), copy.data(), lower.data()); }
    offload::UpdatedValues on_device() const {
      return picked(placed_master.at<float>(), placed_copy.at(), placed_lower.at<std::uint16_t>());
    }
    offload::UpdatedValues picked(float* masters, void* copies, std::uint16_t* lowers) const {
      offload::UpdatedValues values;
      if (kind != Kept::halves) values.master = masters;
      if (kind != Kept::master) values.copy = copies;
      values.copy_type = type();
      if (kind == Kept::halves) values.lower = lowers;
      return values;
    }
    void expect_equal() const {
      expect_same(placed_master.values<float>(), master, "masters");
      expect_same(placed_copy.bytes(), copy, "copies");
      expect_same(placed_lower.values<std::uint16_t>(), lower, "lower halves");
    }

    Kept kind;
    Floats master;
    Bytes copy;
    std::vector<std::uint16_t> lower;
    Placed placed_master, placed_copy, placed_lower;
  };

  static offload::AdamWFactors factors(std::int64_t step) {
    offload::AdamWStep settings;
    settings.learning_rate = 1e-3, settings.weight_decay = 0.1, settings.gradient_scale = 0.37;
    settings.step = step;
    return offload::AdamWFactors(settings);
  }

  /// Small and large, with zeros, as gradients are.
  static Floats gradients(std::size_t count, std::int64_t step) {
    Floats values = normal(count, static_cast<unsigned>(step) + 50, 0.02f);
    for (std::size_t i = 0; i < count; i += 5) values[i] *= 1e-4f;
    for (std::size_t i = 2; i < count; i += 11) values[i] = 0;
    return values;
  }

  template <typename Run>
  static Run with(const offload::UpdatedValues& values) {
    Run run;
    static_cast<offload::UpdatedValues&>(run) = values;
    return run;
  }

  void compare_adamw(DType type, Kept kept, std::size_t count, std::size_t shift) {
    Values values(*this, kept, count, shift);
    Floats mean(count), square(count);
    const Placed means = place(mean, shift), squares = place(square, shift);
    for (std::int64_t step = 1; step <= steps; ++step) {
      const Bytes gradient = stored(gradients(count, step), type);
      const Placed placed = place(gradient, shift * size_of(type));
      auto run = with<offload::AdamWRun>(values.on_host());
      run.gradient = gradient.data(), run.gradient_type = type, run.count = static_cast<std::int64_t>(count);
      run.mean = mean.data(), run.square = square.data();
      offload::reference::adamw(factors(step), run);
      static_cast<offload::UpdatedValues&>(run) = values.on_device();
      run.gradient = placed.at(), run.mean = means.at<float>(), run.square = squares.at<float>();
      kernels().adamw(factors(step), run);
    }
    values.expect_equal();
    expect_same(means.values<float>(), mean, "means");
    expect_same(squares.values<float>(), square, "squares");
  }

  void compare_adamw8(DType type, Kept kept, std::size_t count, std::size_t shift) {
    Values values(*this, kept, count, shift);
    const std::size_t blocks = (count + offload::state_block - 1) / offload::state_block;
    std::vector<std::uint8_t> mean(count), square(count);
    Floats mean_scale(blocks), square_scale(blocks);
    const Placed means = place(mean, shift), squares = place(square, shift), mean_scales = place(mean_scale),
                 square_scales = place(square_scale);
    for (std::int64_t step = 1; step <= steps; ++step) {
      const Bytes gradient = stored(gradients(count, step), type);
      const Placed placed = place(gradient, shift * size_of(type));
      auto run = with<offload::AdamW8Run>(values.on_host());
      run.gradient = gradient.data(), run.gradient_type = type, run.count = static_cast<std::int64_t>(count);
      run.mean = mean.data(), run.square = square.data();
      run.mean_scale = mean_scale.data(), run.square_scale = square_scale.data();
      offload::reference::adamw8(factors(step), run);
      static_cast<offload::UpdatedValues&>(run) = values.on_device();
      run.gradient = placed.at(), run.mean = means.at<std::uint8_t>(),
      run.square = squares.at<std::uint8_t>();
      run.mean_scale = mean_scales.at<float>(), run.square_scale = square_scales.at<float>();
      kernels().adamw8(factors(step), run);
    }
    values.expect_equal();
    expect_same(means.values<std::uint8_t>(), mean, "means");
    expect_same(squares.values<std::uint8_t>(), square, "squares");
    expect_same(mean_scales.values<float>(), mean_scale, "scales of means");
    expect_same(square_scales.values<float>(), square_scale, "scales of squares");
  }

  void compare_sgd(Kept kept, std::size_t count, bool with_momentum, bool nesterov) {
    Values values(*this, kept, count, 1);
    Floats buffer(count);
    const Placed buffers = place(buffer);
    for (std::int64_t step = 1; step <= steps; ++step) {
      const Floats gradient = gradients(count, step);
      const Placed placed = place(gradient, 1);
      auto run = with<offload::SgdRun>(values.on_host());
      run.gradient = gradient.data(), run.buffer = with_momentum ? buffer.data() : nullptr;
      run.count = static_cast<std::int64_t>(count), run.rate = 0.1f, run.scale = 0.7f, run.decay = 0.01f;
      run.momentum = 0.9f, run.taken = step == 1 ? 1.0f : 0.8f, run.nesterov = nesterov;
      descend(run);
      static_cast<offload::UpdatedValues&>(run) = values.on_device();
      run.gradient = placed.at<float>();
      if (with_momentum) run.buffer = buffers.at<float>();
      kernels().sgd(run);
    }
    values.expect_equal();
    expect_same(buffers.values<float>(), buffer, "momentum");
  }

  static void descend(const offload::SgdRun& run) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      const float value = offload::scalar::value(run, i);
      const volatile float decayed = run.decay * value, scaled = run.gradient[i] * run.scale;
      float gradient = scaled + decayed;
      if (run.buffer) {
        const volatile float old = run.momentum * run.buffer[i], fresh = run.taken * gradient;
        run.buffer[i] = old + fresh;
        const volatile float ahead = run.momentum * run.buffer[i];
        gradient = run.nesterov ? gradient + ahead : run.buffer[i];
      }
      const volatile float way = run.rate * gradient;
      offload::scalar::put(run, i, value - way);
    }
  }

  void compare_add(std::size_t count, std::size_t shift) {
    Floats sum = normal(count, 1);
    const Floats more = normal(count, 2);
    const Placed into = place(sum, shift), from = place(more);
    kernels().add(into.at<float>(), from.at<float>(), static_cast<std::int64_t>(count));
    for (std::size_t i = 0; i < count; ++i) sum[i] += more[i];
    expect_same(into.values<float>(), sum, "sums");
  }

  void compare_convert(std::size_t count, std::size_t shift, DType from_type, DType into_type) {
    Floats values = normal(count, 3);
    for (std::size_t i = 0; i < count; i += 3)
      values[i] = std::ldexp(values[i], static_cast<int>(i % 60) - 40);
    if (count > 20) {
      values[3] = std::numeric_limits<float>::infinity(), values[4] = -values[3];
      values[5] = std::numeric_limits<float>::quiet_NaN(), values[6] = 65519.0f, values[7] = 65520.0f;
      values[8] = 3.4e38f, values[9] = 1.0f + 0x1p-8f, values[10] = 1.0f + 0x3p-8f, values[11] = 0x1p-25f;
    }
    values = rounded(values, from_type);
    const Placed from = place(values, from_type, shift), into = garbage(count * size_of(into_type));
    kernels().convert(from.at(), from_type, into.at(), into_type, static_cast<std::int64_t>(count));
    expect_same(into.bytes(), stored(values, into_type), "converted");
  }

  void compare_squares(std::size_t count, std::size_t shift) {
    const Floats values = normal(count, 4);
    const Placed from = place(values, shift),
                 sums = place(std::vector<double>(DeviceKernels::square_sums, 0.25));
    double wanted = 0.25 * DeviceKernels::square_sums;
    for (int turn = 0; turn < 2; ++turn) {
      kernels().add_squares(from.at<float>(), static_cast<std::int64_t>(count), sums.at<double>());
      for (const float value : values) wanted += static_cast<double>(value) * static_cast<double>(value);
    }
    double found = 0;
    for (const double sum : sums.values<double>()) found += sum;
    EXPECT_NEAR(found, wanted, 1e-12 * wanted);
  }

  void compare_splittable(std::size_t count, std::size_t shift) {
    Floats values = normal(count, 5);
    for (std::size_t i = 0; i < count; i += 4)
      values[i] = std::bit_cast<float>((std::bit_cast<std::uint32_t>(values[i]) & 0xfffe0000u) | 0x8000u);
    const Placed placed = place(values, shift);
    kernels().make_splittable(placed.at<float>(), static_cast<std::int64_t>(count));
    offload::make_splittable(values.data(), static_cast<std::int64_t>(count));
    expect_same(placed.values<float>(), values, "splittable");
  }
};

}  // namespace trireme::tests
