#pragma once
#include <cstdint>
#include <vector>

namespace trireme::sharding {

/// A matrix product of m × k by k × n, made `count` times.
struct Product {
  double m = 0, n = 0, k = 0, count = 1;
  double flops() const { return 2 * m * n * k * count; }
};

/// What one unit computes and keeps for one micro-batch, as plain numbers.
struct UnitWork {
  /// Of the forward pass with weights; backward makes each again for its input and, where the weight is
  /// trained, for the weight.
  std::vector<Product> products;
  /// Adapters and other products whose weights are trained though those above are not.
  std::vector<Product> adapter_products;
  bool weights_trained = true;
  /// Nothing before the unit is trained, so the gradient of its input is not wanted.
  bool input_gradient = true;
  /// Products between activations: those of attention. Backward makes 2.5 times as many.
  double attention_flops = 0;
  /// Bytes that memory-bound operations read and write in forward; backward moves twice as many.
  double elementwise_bytes = 0;
  /// Backward makes the products of forward once more although its graph is kept.
  bool makes_again = false;
  /// Makes the loss.
  bool scores = false;
  /// Of weights' gradients that no product makes, as a table's rows.
  double gradient_bytes = 0;
  /// Operations that are issued one by one in forward.
  int kernels = 0;

  std::uint64_t input_bytes = 0, output_bytes = 0;
  /// What is kept beside the unit's input: all of forward, or attention's results alone.
  std::uint64_t kept_bytes = 0, attention_bytes = 0;
  /// What forward and backward need while they run, beside what is kept.
  std::uint64_t forward_bytes = 0, backward_bytes = 0;
};

/// A model's units in the schedule's order, for one micro-batch.
struct ModelWork {
  std::vector<UnitWork> units;
  std::int64_t tokens = 0;
  /// The part of forward that is computed again where activations are recomputed: systems that keep every
  /// other product compute less.
  double recomputed_share = 1;
  /// Multiplications and additions that the model's function needs for one token, forward and backward: what
  /// MFU counts.
  double model_flops_per_token = 0;
};

}  // namespace trireme::sharding
