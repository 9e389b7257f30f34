#pragma once
#include <array>

#include "core/philox.h"
#include "model/kernels/chunk_rows.h"
#include "model/kernels/norm_rows.h"
#include "model/kernels/rotate_rows.h"
#include "model/kernels/softmax_rows.h"
#include "model/kernels/swiglu.h"
#include "offload/optimizer/dynamic_codes.h"
#include "tests/cuda/kernel_site.h"

namespace trireme::tests {

/// The fused operations of models on a device against the host's kernels in fp32, on numbers that the type
/// holds.
class ModelKernelsOnDevice : public KernelSite {
 public:
  using KernelSite::KernelSite;

  void compare_norms() {
    for (const DType type : types)
      for (const std::size_t size : {1u, 7u, 64u, 300u, 1032u, 2500u})
        for (const std::size_t shift : {0u, 1u})
          for (const bool adds : {false, true}) {
            SCOPED_TRACE(testing::Message() << name_of(type) << ", rows of " << size << ", shifted by "
                                            << shift << (adds ? ", with a residual" : ""));
            compare_norm(type, size, shift, adds);
            compare_norm_backward(type, size, shift, adds);
          }
  }

  void compare_swiglu() {
    for (const DType type : types)
      for (const std::size_t count : {1u, 7u, 1024u, 5003u})
        for (const std::size_t shift : {0u, 3u}) {
          SCOPED_TRACE(testing::Message()
                       << name_of(type) << ", " << count << " elements, shifted by " << shift);
          compare_swiglu(type, count, shift);
        }
  }

  void compare_rotations() {
    for (const DType type : types)
      for (const std::size_t head_size : {2u, 10u, 64u, 80u})
        for (const float direction : {1.0f, -1.0f}) {
          SCOPED_TRACE(testing::Message() << name_of(type) << ", heads of " << head_size);
          compare_rotation(type, head_size, direction);
        }
  }

  void compare_chunks() {
    for (const DType type : types)
      for (const std::size_t columns : {1u, 17u, 1000u, 4099u}) {
        SCOPED_TRACE(testing::Message() << name_of(type) << ", " << columns << " columns");
        compare_chunk(type, columns);
      }
  }

  void compare_losses() {
    for (const DType type : types)
      for (const std::size_t vocabulary : {1u, 17u, 1000u, 4099u})
        for (const bool gradients : {false, true}) {
          SCOPED_TRACE(testing::Message() << name_of(type) << ", " << vocabulary << " tokens");
          compare_loss(type, vocabulary, gradients);
        }
  }

  void compare_nf4() {
    for (const DType type : types)
      for (const std::size_t elements : {1u, 63u, 64u, 65u, 1000u, 20001u}) {
        SCOPED_TRACE(testing::Message() << name_of(type) << ", " << elements << " elements");
        compare_nf4(type, elements);
      }
  }

  void compare_dropout() {
    for (const DType type : types)
      for (const std::int64_t each : {1, 3, 4, 10, 5001})
        for (const double dropout : {0.0, 0.1, 0.7}) {
          SCOPED_TRACE(testing::Message()
                       << name_of(type) << ", " << each << " elements, dropout " << dropout);
          compare_dropout(type, each, dropout);
        }
  }

 private:
  static constexpr std::size_t rows = 5;

  void compare_norm(DType type, std::size_t size, std::size_t shift, bool adds) {
    const std::size_t count = rows * size;
    const Floats x = rounded(normal(count, 1), type), residual = rounded(normal(count, 2), type),
                 weight = normal(size, 3);
    Floats sum = x, out(count), scale(rows);
    if (adds)
      for (std::size_t i = 0; i < count; ++i) sum[i] += residual[i];
    sum = rounded(sum, type);
    kernels::NormForward args;
    args.x = sum.data(), args.weight = weight.data(), args.out = out.data(), args.scale = scale.data();
    args.epsilon = 1e-5, args.size = static_cast<std::int64_t>(size);
    model::kernels::norm_rows(args, 0, rows, DType::f32);

    const Placed placed_x = place(x, type, shift), placed_residual = place(residual, type, shift),
                 placed_sum = garbage(count * size_of(type), shift * size_of(type)),
                 placed_weight = place(weight, shift), placed_out = garbage(count * size_of(type)),
                 placed_scale = garbage(rows * sizeof(float));
    args.x = placed_x.at(), args.weight = placed_weight.at<float>(), args.out = placed_out.at();
    args.scale = placed_scale.at<float>();
    if (adds) args.residual = placed_residual.at(), args.sum = placed_sum.at();
    kernels().norm(args, rows, type);
    expect_near(read(placed_out.bytes(), type), out, type, "normed");
    expect_near(placed_scale.values<float>(), scale, DType::f32, "scales");
    if (adds) expect_same(read(placed_sum.bytes(), type), sum, "sums");
  }

  void compare_norm_backward(DType type, std::size_t size, std::size_t shift, bool adds) {
    const std::size_t count = rows * size;
    const Floats x = rounded(normal(count, 4), type), gradient = rounded(normal(count, 5), type),
                 more = rounded(normal(count, 6), type), weight = normal(size, 7), scale = normal(rows, 8);
    Floats dx(count);
    kernels::NormBackward args;
    args.gradient = gradient.data(), args.x = x.data(), args.weight = weight.data(),
    args.scale = scale.data();
    args.size = static_cast<std::int64_t>(size), args.dx = dx.data();
    if (adds) args.sum_gradient = more.data();
    model::kernels::norm_rows_backward(args, 0, rows, DType::f32);

    const Placed placed_gradient = place(gradient, type, shift), placed_x = place(x, type),
                 placed_more = place(more, type, shift), placed_weight = place(weight),
                 placed_scale = place(scale),
                 placed_dx = garbage(count * size_of(type), shift * size_of(type));
    kernels::NormBackward there = args;
    there.gradient = placed_gradient.at(), there.x = placed_x.at(), there.weight = placed_weight.at<float>();
    there.scale = placed_scale.at<float>(), there.dx = placed_dx.at();
    if (adds) there.sum_gradient = placed_more.at();
    kernels().norm_backward(there, rows, 1, type);
    expect_near(read(placed_dx.bytes(), type), dx, type, "gradients", 10);

    args.dx = nullptr, there.dx = nullptr;
    for (const std::size_t chunk : {1u, 3u, 8u}) {
      const std::size_t chunks = (rows + chunk - 1) / chunk;
      Floats dw(chunks * size);
      for (std::size_t first = 0; first < rows; first += chunk) {
        args.dw = dw.data() + first / chunk * size;
        model::kernels::norm_rows_backward(args, static_cast<std::int64_t>(first),
                                           static_cast<std::int64_t>(std::min(chunk, rows - first)),
                                           DType::f32);
      }
      const Placed placed_dw = garbage(dw.size() * sizeof(float), shift * sizeof(float));
      there.dw = placed_dw.at<float>();
      kernels().norm_backward(there, rows, static_cast<std::int64_t>(chunk), type);
      expect_near(placed_dw.values<float>(), dw, DType::f32, "the weight's gradients");
    }
  }

  void compare_swiglu(DType type, std::size_t count, std::size_t shift) {
    Floats gate = rounded(normal(count, 1, 3), type);
    if (count > 10) gate[3] = -60, gate[4] = 90, gate[5] = -120, gate[6] = 0;
    gate = rounded(gate, type);
    const Floats up = rounded(normal(count, 2), type), gradient = rounded(normal(count, 3), type);
    Floats out(count), dgate(count), dup(count);
    const auto elements = static_cast<std::int64_t>(count);
    model::kernels::swiglu({gate.data(), up.data(), out.data()}, 0, elements, DType::f32);
    model::kernels::swiglu_backward({gradient.data(), gate.data(), up.data(), dgate.data(), dup.data()}, 0,
                                    elements, DType::f32);

    const std::size_t bytes = count * size_of(type);
    const Placed placed_gate = place(gate, type, shift), placed_up = place(up, type),
                 placed_gradient = place(gradient, type, shift), placed_out = garbage(bytes),
                 placed_dgate = garbage(bytes, shift * size_of(type)), placed_dup = garbage(bytes);
    kernels().swiglu({placed_gate.at(), placed_up.at(), placed_out.at()}, elements, type);
    kernels().swiglu_backward(
        {placed_gradient.at(), placed_gate.at(), placed_up.at(), placed_dgate.at(), placed_dup.at()},
        elements, type);
    expect_near(read(placed_out.bytes(), type), out, type, "gated");
    expect_near(read(placed_dgate.bytes(), type), dgate, type, "gradients of the gate");
    expect_near(read(placed_dup.bytes(), type), dup, type, "gradients of what is gated");
  }

  void compare_rotation(DType type, std::size_t head_size, float direction) {
    constexpr std::size_t heads = 3, seen = 9;
    const std::size_t width = heads * head_size, stride = width + 4, half = head_size / 2;
    const Floats x = rounded(normal(rows * stride, 1), type), cosine = normal(seen * half, 2),
                 sine = normal(seen * half, 3);
    const std::vector<std::int64_t> positions{0, 8, 3, 4, 1};
    Floats out(rows * width);
    kernels::Rotation args;
    args.x = x.data(), args.out = out.data(), args.stride = static_cast<std::int64_t>(stride);
    args.positions = positions.data(), args.cosine = cosine.data(), args.sine = sine.data();
    args.heads = heads, args.head_size = static_cast<std::int64_t>(head_size), args.direction = direction;
    model::kernels::rotate_rows(args, 0, rows, DType::f32);

    const Placed placed_x = place(x, type), placed_positions = place(positions),
                 placed_cosine = place(cosine), placed_sine = place(sine, 1),
                 placed_out = garbage(out.size() * size_of(type));
    args.x = placed_x.at(), args.out = placed_out.at(), args.positions = placed_positions.at<std::int64_t>();
    args.cosine = placed_cosine.at<float>(), args.sine = placed_sine.at<float>();
    kernels().rotate(args, rows, type);
    expect_near(read(placed_out.bytes(), type), out, type, "rotated");
  }

  /// One row has a lone number far above all others, one begins with what can never be.
  static Floats logits_of(std::size_t columns, DType type) {
    Floats logits = normal(rows * columns, 1, 4);
    if (columns > 16) {
      logits[2 * columns + 11] = 80;
      std::fill_n(logits.begin() + static_cast<std::ptrdiff_t>(3 * columns), 9,
                  -std::numeric_limits<float>::infinity());
    }
    return rounded(logits, type);
  }

  void compare_chunk(DType type, std::size_t columns) {
    const Floats logits = logits_of(columns, type), before = normal(rows, 2, 3),
                 target_before = normal(rows, 3);
    const auto last = static_cast<std::int64_t>(columns) - 1;
    const std::vector<std::int64_t> labels{0, last, last + 1, last, -5};
    Floats begin = before, work = logits, sum(rows), target(rows);
    begin[1] = -std::numeric_limits<float>::infinity();
    model::kernels::ChunkRows args{work.data(), last + 1, labels.data()};
    model::kernels::add_chunk_rows(args, {begin.data(), target_before.data(), sum.data(), target.data()}, 0,
                                   rows, DType::f32);
    const Floats of_sum = normal(rows, 4), of_target = normal(rows, 5);
    Floats total = sum;
    for (float& value : total) value += 0.5f;
    model::kernels::chunk_rows_backward(args, {total.data(), of_sum.data(), of_target.data()}, 0, rows,
                                        DType::f32);

    const Placed placed_logits = place(logits, type), placed_labels = place(labels),
                 placed_before = place(begin), placed_target_before = place(target_before),
                 placed_sum = garbage(rows * sizeof(float)), placed_target = garbage(rows * sizeof(float)),
                 placed_total = place(total), placed_of_sum = place(of_sum),
                 placed_of_target = place(of_target);
    args = {placed_logits.at(), last + 1, placed_labels.at<std::int64_t>()};
    kernels().add_chunk_rows(args,
                             {placed_before.at<float>(), placed_target_before.at<float>(),
                              placed_sum.at<float>(), placed_target.at<float>()},
                             rows, type);
    expect_near(placed_sum.values<float>(), sum, DType::f32, "sums");
    expect_same(placed_target.values<float>(), target, "the labels' logits");
    expect_same(read(placed_logits.bytes(), type), logits, "logits");
    kernels().chunk_rows_backward(
        args, {placed_total.at<float>(), placed_of_sum.at<float>(), placed_of_target.at<float>()}, rows,
        type);
    expect_near(read(placed_logits.bytes(), type), work, type, "gradients");
  }

  void compare_loss(DType type, std::size_t vocabulary, bool gradients) {
    const Floats logits = logits_of(vocabulary, type);
    const auto last = static_cast<std::int64_t>(vocabulary) - 1;
    const std::vector<std::int64_t> labels{0, -1, last, last, last / 2};
    Floats work = logits;
    std::vector<double> losses(rows);
    kernels::SoftmaxLoss args;
    args.logits = work.data(), args.vocabulary = last + 1, args.labels = labels.data();
    args.weight = 0.3f, args.losses = losses.data(), args.gradients = gradients;
    model::kernels::softmax_loss_rows(args, 0, rows, DType::f32);

    const Placed placed_logits = place(logits, type), placed_labels = place(labels),
                 placed_losses = garbage(rows * sizeof(double));
    args.logits = placed_logits.at(), args.labels = placed_labels.at<std::int64_t>();
    args.losses = placed_losses.at<double>();
    kernels().softmax_loss(args, rows, type);
    const std::vector<double> found = placed_losses.values<double>();
    for (std::size_t row = 0; row < rows; ++row)
      EXPECT_NEAR(found[row], losses[row], 2e-6 * (1 + std::fabs(losses[row]))) << "row " << row;
    expect_near(read(placed_logits.bytes(), type), work, type, "gradients");
  }

  void compare_nf4(DType type, std::size_t elements) {
    const std::size_t blocks = (elements + 63) / 64, nested_blocks = (blocks + 255) / 256;
    std::mt19937 random(static_cast<unsigned>(elements));
    std::vector<std::uint8_t> codes((elements + 1) / 2), largest(blocks);
    for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(random());
    for (std::uint8_t& code : largest) code = static_cast<std::uint8_t>(random());
    const Floats nested = normal(nested_blocks, 1), offset{0.8f};
    const auto& numbers = offload::dynamic_codes(true);
    kernels::Nf4Weight weight;
    for (std::size_t i = 0; i < weight.values.size(); ++i)
      weight.values[i] = static_cast<float>(i) / 7.7f - 1;
    Floats wanted(elements);
    for (std::size_t i = 0; i < elements; ++i) {
      const volatile float product = numbers[largest[i / 64]] * nested[i / 64 / 256];
      const unsigned pair = codes[i / 2];
      wanted[i] = weight.values[i % 2 == 0 ? pair >> 4 : pair & 15u] * (product + offset[0]);
    }

    const Placed placed_codes = place(codes), placed_largest = place(largest), placed_nested = place(nested),
                 placed_offset = place(offset), into = garbage(elements * size_of(type)),
                 placed_numbers = place(Floats(numbers.begin(), numbers.end()));
    weight.codes = placed_codes.at<std::uint8_t>(), weight.largest = placed_largest.at<std::uint8_t>();
    weight.nested = placed_nested.at<float>(), weight.offset = placed_offset.at<float>();
    weight.elements = static_cast<std::int64_t>(elements);
    weight.largest_values = placed_numbers.at<float>();
    kernels().dequantise_nf4(weight, into.at(), type);
    expect_same(into.bytes(), stored(wanted, type), "dequantised");
  }

  /// What src/model/lora.h drops.
  void compare_dropout(DType type, std::int64_t each, double dropout) {
    kernels::DropoutMask args;
    args.samples = 3, args.each = each, args.key = {0x12345678u, 0x9abcdef0u};
    args.first_sample = (std::uint64_t{1} << 32) - 2, args.sample_stride = 3;
    args.step = (std::uint64_t{5} << 32) + 17, args.dropout = dropout;
    args.kept = static_cast<float>(1.0 / (1.0 - dropout));
    Floats wanted;
    for (std::int64_t sample = 0; sample < args.samples; ++sample)
      for (std::int64_t i = 0; i < each; ++i) {
        const auto number = static_cast<std::uint32_t>(
            args.first_sample + static_cast<std::uint64_t>(sample) * args.sample_stride);
        const auto bits = philox({static_cast<std::uint32_t>(i / 4), 5u, number, 17u}, args.key);
        const float drawn = static_cast<float>(bits[static_cast<std::size_t>(i % 4)] >> 8) * 0x1p-24f;
        wanted.push_back(static_cast<double>(drawn) < dropout ? 0.0f : args.kept);
      }
    const Placed out = garbage(wanted.size() * size_of(type));
    args.out = out.at();
    kernels().dropout_mask(args, type);
    expect_same(out.bytes(), stored(wanted, type), "the mask");
  }
};

}  // namespace trireme::tests
