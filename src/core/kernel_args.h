#pragma once
#include <array>
#include <cstdint>

// What the fused operations of models work on: the same for the host's processors and for devices. Numbers of
// a model are fp32, bf16 or fp16, as the call says.
namespace trireme::kernels {

/// Rows of `size` elements: out = sum / rms(sum) * weight, where sum = x + residual.
struct NormForward {
  const void* x = nullptr;
  /// Null: nothing is added, and `sum` is not written.
  const void* residual = nullptr;
  void* sum = nullptr;
  const float* weight = nullptr;
  double epsilon = 0;
  void* out = nullptr;
  /// One a row: 1 / rms.
  float* scale = nullptr;
  std::int64_t size = 0;
};

struct NormBackward {
  const void* gradient = nullptr;
  /// What was normed.
  const void* x = nullptr;
  const float* weight = nullptr;
  const float* scale = nullptr;
  /// Of the sum itself, where it is used otherwise; null: nothing.
  const void* sum_gradient = nullptr;
  void* dx = nullptr;
  /// `size` floats that the weight's gradient is added to; null: it is not wanted.
  float* dw = nullptr;
  std::int64_t size = 0;
};

/// Turns the halves of each head of each row by the angles of the row's position. Rows of `x` lie `stride`
/// elements apart, those of `out` one after another.
struct Rotation {
  const void* x = nullptr;
  std::int64_t stride = 0;
  void* out = nullptr;
  const std::int64_t* positions = nullptr;
  /// [positions, head_size / 2]
  const float* cosine = nullptr;
  const float* sine = nullptr;
  std::int64_t heads = 0, head_size = 0;
  /// -1 turns back.
  float direction = 1;
};

/// out = silu(gate) * up, element by element.
struct SwiGlu {
  const void* gate = nullptr;
  const void* up = nullptr;
  void* out = nullptr;
};

struct SwiGluBackward {
  const void* gradient = nullptr;
  const void* gate = nullptr;
  const void* up = nullptr;
  void* dgate = nullptr;
  void* dup = nullptr;
};

/// Rows of logits of some columns of a vocabulary, and what is known of each row before and after them.
struct ChunkRows {
  void* logits = nullptr;
  std::int64_t columns = 0;
  /// Where in the chunk a row's label is; elsewhere: negative, or from `columns` on.
  const std::int64_t* labels = nullptr;
};

/// The logarithm of the sum of all exponentials so far, and the label's logit.
struct ChunkSums {
  const float *sum_before = nullptr, *target_before = nullptr;
  float *sum = nullptr, *target = nullptr;
};

/// Logits become, in place, their gradients: those of the sum and of the label's logit are given.
struct ChunkGradients {
  const float *sum = nullptr, *of_sum = nullptr, *of_target = nullptr;
};

/// Rows of logits become, in place, the gradients of weight * -log softmax(row)[label]; rows with a negative
/// label become zero and lose nothing.
struct SoftmaxLoss {
  void* logits = nullptr;
  std::int64_t vocabulary = 0;
  const std::int64_t* labels = nullptr;
  float weight = 1;
  /// One a row, not weighted.
  double* losses = nullptr;
  /// False: the losses alone are wanted and the logits stay.
  bool gradients = true;
};

/// A weight of 4 bits, as sharding/codecs/nf4.h lays it out, and the numbers that its codes stand for.
struct Nf4Weight {
  const std::uint8_t* codes = nullptr;
  const std::uint8_t* largest = nullptr;
  const float* nested = nullptr;
  const float* offset = nullptr;
  std::int64_t elements = 0;
  std::array<float, 16> values{};
  /// 256 of them, where the device reaches them.
  const float* largest_values = nullptr;
};

/// `kept` where an element is kept and zero where it is dropped, drawn by Philox: a sample's number and an
/// element's place in it say what is drawn.
struct DropoutMask {
  void* out = nullptr;
  std::int64_t samples = 0, each = 0;
  std::array<std::uint32_t, 2> key{};
  std::uint64_t first_sample = 0, sample_stride = 1, step = 0;
  double dropout = 0;
  float kept = 1;
};

}  // namespace trireme::kernels
