#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/dtype.h"
#include "sharding/gradient_sink.h"

namespace trireme::sharding {

/// One tensor of a model, under the name that it has in the Hugging Face folder.
struct Parameter {
  std::string name;
  std::vector<std::int64_t> shape;
  /// Where it is a part of a larger tensor: that tensor, and the element of it that it begins with. Outside
  /// of the engine only whole tensors are known.
  std::shared_ptr<const Parameter> part_of = nullptr;
  std::int64_t first = 0;
};

/// What is stored and moved as one: parameters of one dtype that are trainable or frozen together.
struct ParamGroup {
  std::string name;
  std::vector<Parameter> parameters;
  bool trainable = true;
  /// u8: bytes that the units decode themselves (a quantised group); otherwise the placement's codec decides.
  std::optional<DType> stored;
};

/// What one unit hands to the next. A unit may add scalar losses; they are summed over the units.
struct Activation {
  at::Tensor hidden;
  std::vector<at::Tensor> more;
  at::Tensor loss;
};

/// What units remember from one forward pass to the next while a text is generated; only they know what it
/// is.
class UnitMemory {
 public:
  virtual ~UnitMemory() = default;
};

/// What a unit keeps of its forward pass although backward computes it again: the dear parts, in the order in
/// which they are made.
class KeptPieces {
 public:
  void keep(at::Tensor piece) { pieces_.push_back(std::move(piece)); }
  /// From now on the pieces are handed out, from the first.
  void complete_now() { complete_ = true, next_ = 0; }
  bool complete() const { return complete_; }
  at::Tensor next() { return pieces_.at(next_++); }

 private:
  std::vector<at::Tensor> pieces_;
  std::size_t next_ = 0;
  bool complete_ = false;
};

/// What all units of a micro-batch share.
struct Context {
  at::Tensor tokens;     ///< int64 [batch, sequence]
  at::Tensor labels;     ///< int64 [batch, sequence], already shifted: labels[t] is what position t predicts;
                         ///< -100 is not scored
  at::Tensor positions;  ///< int64 [batch, sequence]
  /// int32 prefix sums of the lengths of packed documents over the flattened batch; undefined: each row is
  /// one document.
  at::Tensor document_bounds;
  std::int64_t longest_document = 0;
  /// The sum of token losses is multiplied by it: one over the global number of scored tokens, times any loss
  /// scale.
  double loss_weight = 1.0;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  /// The number of the batch's first row over the whole run, and how far apart its rows' numbers are.
  std::uint64_t first_sample = 0, sample_stride = 1;
  bool training = true;
  /// Where backward may put gradients of weights itself. Null where nothing is recorded.
  GradientSinkPtr gradients;
  /// Set where backward follows at once, so that a forward pass may make gradients too.
  bool in_backward = false;
  /// Null where all of a forward pass is kept, or nothing.
  std::shared_ptr<KeptPieces> kept;
  /// Null where every pass stands alone.
  std::shared_ptr<UnitMemory> memory;
};

/// The full parameters of a unit's groups, as views of their slots: weights[g][p] is parameter p of the
/// unit's g-th group.
using Weights = std::vector<std::vector<at::Tensor>>;

/// What is computed as one: an embedding chunk, a decoder block, a head. Autograd lives inside a unit and
/// never crosses its border.
class Unit {
 public:
  virtual ~Unit() = default;
  virtual const std::string& name() const = 0;
  /// Indices into the model's groups, in the order of `Weights`.
  virtual const std::vector<int>& groups() const = 0;
  /// What autograd keeps of its forward pass is next to nothing, so that it is kept whatever the policy says.
  virtual bool keeps_little() const { return false; }
  /// Whether gradients depend on the weights' values. Where they do not, weights are not gathered for
  /// backward; the unit then keeps little.
  virtual bool backward_reads_weights() const { return true; }
  virtual Activation forward(const Activation& input, const Context& context,
                             const Weights& weights) const = 0;
};

/// Units in order, over groups that they refer to. Two units that name the same group share (tie) its
/// parameters.
struct Model {
  std::vector<ParamGroup> groups;
  std::vector<std::unique_ptr<Unit>> units;
};

}  // namespace trireme::sharding
