#pragma once
#include "core/kernel_args.h"
#include "cuda/kernels/runs.h"

namespace trireme::cuda::on_device {

/// A group a row; of short rows several share a block of the device.
template <typename T, int group_size>
struct Norm {
  static constexpr int threads = group_size, width = widest<T>, held = 2;
  kernels::NormForward args;
  std::int64_t rows;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_blocks(group, rows, [&](std::int64_t row) { normalize(group, row); });
  }

 private:
  template <typename Group>
  TRIREME_DEVICE void normalize(const Group& group, std::int64_t row) const {
    const std::int64_t at = row * args.size;
    const T* x = static_cast<const T*>(args.x) + at;
    const T* residual = static_cast<const T*>(args.residual) + (args.residual ? at : 0);
    T* const sum = static_cast<T*>(args.sum) + (args.residual ? at : 0);
    T* const out = static_cast<T*>(args.out) + at;
    Pack<T, width> kept[held];
    float squares = 0;
    for_turns_of_row<width, held>(group, args.size, [&](int turn, std::int64_t i, int n) {
      Pack<T, width> packed = load_pack<width>(x + i, n);
      float values[width];
      widen(packed, values);
      if (args.residual) {
        float more[width];
        load(residual + i, n, more);
        for (int k = 0; k < width; ++k) values[k] += more[k];
        narrow_numbers(values, packed.values);
        store_pack<width>(packed, sum + i, n);
        widen(packed, values);
      }
      for (int k = 0; k < width; ++k) squares += values[k] * values[k];
      if (turn < held) kept[turn] = packed;
    });
    if (args.residual) x = sum;
    const float mean = group.sum(squares) / static_cast<float>(args.size);
    const float scale = 1.0f / sqrtf(mean + static_cast<float>(args.epsilon));
    if (group.thread() == 0) args.scale[row] = scale;
    // Each thread comes to the elements that it has just had.
    for_turns_of_row<width, held>(group, args.size, [&](int turn, std::int64_t i, int n) {
      float values[width], weights[width];
      widen(turn < held ? kept[turn] : load_pack<width>(x + i, n), values);
      load(args.weight + i, n, weights);
      for (int k = 0; k < width; ++k) values[k] = values[k] * scale * weights[k];
      store_numbers(values, out + i, n);
    });
  }
};

template <typename T, int group_size>
struct NormInputGradient {
  static constexpr int threads = group_size, width = widest<T>, held = 1;
  kernels::NormBackward args;
  std::int64_t rows;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_blocks(group, rows, [&](std::int64_t row) { differentiate(group, row); });
  }

 private:
  template <typename Group>
  TRIREME_DEVICE void differentiate(const Group& group, std::int64_t row) const {
    const std::int64_t at = row * args.size;
    const T* x = static_cast<const T*>(args.x) + at;
    const T* gradient = static_cast<const T*>(args.gradient) + at;
    const T* sum_gradient = static_cast<const T*>(args.sum_gradient) + (args.sum_gradient ? at : 0);
    T* const dx = static_cast<T*>(args.dx) + at;
    const float scale = args.scale[row];
    Pack<T, width> kept_gradients[held], kept_x[held];
    float along = 0;
    for_turns_of_row<width, held>(group, args.size, [&](int turn, std::int64_t i, int n) {
      const Pack<T, width> gradients = load_pack<width>(gradient + i, n), packed = load_pack<width>(x + i, n);
      float g[width], values[width], weights[width];
      widen(gradients, g), widen(packed, values), load(args.weight + i, n, weights);
      for (int k = 0; k < width; ++k) along += g[k] * (values[k] * scale) * weights[k];
      if (turn < held) kept_gradients[turn] = gradients, kept_x[turn] = packed;
    });
    const float mean = group.sum(along) / static_cast<float>(args.size);
    for_turns_of_row<width, held>(group, args.size, [&](int turn, std::int64_t i, int n) {
      float g[width], values[width], weights[width];
      widen(turn < held ? kept_gradients[turn] : load_pack<width>(gradient + i, n), g);
      widen(turn < held ? kept_x[turn] : load_pack<width>(x + i, n), values);
      load(args.weight + i, n, weights);
      for (int k = 0; k < width; ++k) values[k] = (g[k] * weights[k] - values[k] * scale * mean) * scale;
      if (args.sum_gradient) {
        load(sum_gradient + i, n, g);
        for (int k = 0; k < width; ++k) values[k] += g[k];
      }
      store_numbers(values, dx + i, n);
    });
  }
};

/// The sums over chunks of rows of the weight's gradient: a group for some columns of a chunk. Where the
/// columns are fewer than the threads, several threads take turns at a column's rows.
template <typename T>
struct NormWeightGradient {
  static constexpr int threads = 256, width = widest<T>;
  struct Shared {
    float sums[threads * width];
  };
  kernels::NormBackward args;
  std::int64_t rows, rows_a_chunk;

  std::int64_t runs() const { return (args.size + width - 1) / width; }
  /// Runs of columns that a group has.
  std::int64_t parts() const { return (runs() + threads - 1) / threads; }
  std::int64_t groups() const { return (rows + rows_a_chunk - 1) / rows_a_chunk * parts(); }

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group, Shared& shared) const {
    const std::int64_t all_runs = (args.size + width - 1) / width,
                       pieces = (all_runs + threads - 1) / threads,
                       chunks = (rows + rows_a_chunk - 1) / rows_a_chunk;
    for_blocks(group, chunks * pieces, [&](std::int64_t i) {
      const std::int64_t first_run = i % pieces * threads, left = all_runs - first_run;
      sum_columns(group, shared, i / pieces, first_run, static_cast<int>(left < threads ? left : threads));
    });
  }

 private:
  template <typename Group>
  TRIREME_DEVICE void sum_columns(const Group& group, Shared& shared, std::int64_t chunk,
                                  std::int64_t first_run, int run_count) const {
    const int turns = threads / run_count;
    const std::int64_t first = chunk * rows_a_chunk,
                       end = first + rows_a_chunk < rows ? first + rows_a_chunk : rows;
    for (int worker = group.thread(); worker < turns * run_count; worker += group.threads()) {
      const std::int64_t column = (first_run + worker % run_count) * width, left = args.size - column;
      const int n = left < width ? static_cast<int>(left) : width;
      float sums[width] = {};
      for (std::int64_t row = first + worker / run_count; row < end; row += turns) {
        float g[width], values[width];
        load(static_cast<const T*>(args.gradient) + row * args.size + column, n, g);
        load(static_cast<const T*>(args.x) + row * args.size + column, n, values);
        const float scale = args.scale[row];
        for (int k = 0; k < width; ++k) sums[k] += g[k] * (values[k] * scale);
      }
      for (int k = 0; k < width; ++k) shared.sums[k * threads + worker] = sums[k];
    }
    group.sync();
    for (int run = group.thread(); run < run_count; run += group.threads()) {
      const std::int64_t column = (first_run + run) * width, left = args.size - column;
      float sums[width] = {};
      for (int turn = 0; turn < turns; ++turn)
        for (int k = 0; k < width; ++k) sums[k] += shared.sums[k * threads + turn * run_count + run];
      store(sums, args.dw + chunk * args.size + column, left < width ? static_cast<int>(left) : width);
    }
    group.sync();
  }
};

}  // namespace trireme::cuda::on_device
