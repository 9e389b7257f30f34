#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sharding/blueprint.h"
#include "sharding/placement.h"
#include "sharding/unit.h"
#include "sharding/views.h"

namespace trireme::sharding {

/// The first thing in a step that is not finite, on one rank.
struct NotFinite {
  int unit = 0, micro_batch = 0;
  std::string what;  ///< "its output", "the gradient of NAME", …
};

/// Computes units forward and back, one micro-batch at a time, and keeps what flows between them. Autograd's
/// graph never crosses a unit.
class UnitRunner {
 public:
  /// `device`: where the units compute.
  UnitRunner(const Model& model, const Views& views, const at::Device& device);

  /// Forgets what an interrupted step left. The contexts' tensors are the host's.
  /// `inspect`: each tensor that a unit makes is looked at for what is not finite.
  void begin(const std::vector<Context>& micro_batches, Activations activations, bool inspect = false);
  /// Without `keep` only the unit's input is kept, when `train`; nothing otherwise. The last unit of a step
  /// that trains waits for its backward: what it computes is its loss, and nothing is handed on.
  void forward(int unit, int micro_batch, bool train, bool keep);
  /// Writes the gradients of the unit's i-th group where bit i of `overwrite` is set, adds them otherwise.
  void backward(int unit, int micro_batch, std::uint32_t overwrite);

  /// Instead of a forward pass: its input is there, with so many bytes that say nothing.
  void pretend_input(int unit, int micro_batch, std::uint64_t bytes);
  /// Instead of a backward pass: what was kept is gone.
  void forget_input(int unit, int micro_batch) { saved(unit, micro_batch) = {}; }

  /// The losses of all units and micro-batches, added in a fixed order. Waits for them.
  double loss() const;
  /// An input that another lane's stream has made is computed with on the calling thread's from now on.
  void take_over_input(int unit, int micro_batch);
  /// What the inspected step found.
  const std::optional<NotFinite>& not_finite() const { return not_finite_; }
  /// What is kept of a unit's input between forward and backward.
  Activation& kept_input(int unit, int micro_batch) { return saved(unit, micro_batch).input; }
  /// What the last unit handed on for a micro-batch.
  const Activation& output(int micro_batch) const { return flow_[static_cast<std::size_t>(micro_batch)]; }

 private:
  struct Saved {
    Activation input;
    Activation output;
    bool has_output = false;
    std::shared_ptr<KeptPieces> pieces;
  };
  Saved& saved(int unit, int micro_batch) { return saved_[index(unit, micro_batch)]; }
  std::size_t index(int unit, int micro_batch) const {
    return static_cast<std::size_t>(micro_batch) * model_.units.size() + static_cast<std::size_t>(unit);
  }
  Activation as_leaves(const Activation& activation, bool require_gradients) const;
  bool waits_for_backward(int unit, bool train) const {
    return train && static_cast<std::size_t>(unit) + 1 == model_.units.size();
  }
  /// `backward`: the pass that may write gradients.
  Activation compute(int unit, int micro_batch, const Activation& input, bool backward,
                     const std::shared_ptr<KeptPieces>& pieces);
  void look_at(int unit, int micro_batch, const at::Tensor& tensor, const std::string& what);
  void look_at_made(int unit, int micro_batch, const Activation& made);
  void look_at_gradients(int unit, int micro_batch);
  void note_loss(int unit, int micro_batch, const Activation& output);
  void open_sink(int unit, std::uint32_t overwrite);
  void write_gradients(int unit, const std::vector<at::Tensor>& gradients, std::size_t first,
                       std::uint32_t overwrite);

  const Model& model_;
  const Views& views_;
  std::vector<Weights> weights_;
  /// Whether something before a unit is trained, so that the gradient of its input is wanted.
  std::vector<char> wants_input_gradient_;
  at::Device device_;
  std::vector<Context> contexts_;
  std::vector<Saved> saved_;
  std::vector<Activation> flow_;
  /// The gradients of what flowed: hidden, then the others.
  std::vector<std::vector<at::Tensor>> gradient_flow_;
  /// On a device they stay there until they are asked for.
  std::vector<at::Tensor> losses_;
  Activations activations_ = Activations::kept;
  bool inspect_ = false;
  std::optional<NotFinite> not_finite_;
  GradientSinkPtr sink_ = c10::make_intrusive<GradientSink>();
};

}  // namespace trireme::sharding
