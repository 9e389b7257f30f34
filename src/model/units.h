#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <c10/core/ScalarType.h>

#include "model/layout.h"
#include "model/lora.h"
#include "model/remade.h"
#include "model/rope.h"
#include "model/spec.h"
#include "sharding/unit.h"

namespace trireme::model {

/// What all units of one model share: its form, the type that they compute in, the table of angles.
struct Shared {
  ModelSpec spec;
  at::ScalarType compute = at::kFloat;
  /// For layers that see all positions, and for those with a window.
  std::shared_ptr<RopeTable> rope, window_rope;
  std::optional<LoraSettings> lora;
  /// False: operations of LibTorch alone, as a reference.
  bool fused = true;
};

/// A unit's name and groups; what it computes is its own.
class NamedUnit : public sharding::Unit {
 public:
  NamedUnit(std::string name, std::vector<int> groups, std::shared_ptr<const Shared> shared)
      : name_(std::move(name)), groups_(std::move(groups)), shared_(std::move(shared)) {}
  const std::string& name() const override { return name_; }
  const std::vector<int>& groups() const override { return groups_; }

 protected:
  const Shared& shared() const { return *shared_; }
  const ModelSpec& spec() const { return shared_->spec; }

 private:
  std::string name_;
  std::vector<int> groups_;
  std::shared_ptr<const Shared> shared_;
};

/// Token ids to vectors; learned positions are added where the family has them.
class EmbeddingUnit : public NamedUnit {
 public:
  EmbeddingUnit(std::vector<int> groups, std::shared_ptr<const Shared> shared);
  bool keeps_little() const override { return true; }
  bool backward_reads_weights() const override { return false; }
  sharding::Activation forward(const sharding::Activation& input, const sharding::Context& context,
                               const sharding::Weights& weights) const override;

 private:
  EmbeddingLayout layout_;
};

/// Norm, attention, norm, MLP or experts; which of them and how, the spec says.
class BlockUnit : public NamedUnit {
 public:
  /// `groups`: its own, that of its adapters where the model has them, and that of its vectors where its own
  /// is in 4 bits.
  BlockUnit(std::int64_t layer, std::vector<int> groups, std::shared_ptr<const Shared> shared);
  sharding::Activation forward(const sharding::Activation& input, const sharding::Context& context,
                               const sharding::Weights& weights) const override;

 private:
  /// Weights in the order of the layout, whichever group they are in.
  sharding::Weights in_order(const sharding::Weights& weights) const;
  at::Tensor attention(const Remakable& x, const sharding::Context& context,
                       const sharding::Weights& weights) const;
  at::Tensor mlp(Remakable x, const sharding::Context& context, const sharding::Weights& weights) const;
  /// The share of each expert that its position was sent to, and the loss of an uneven load.
  sharding::Activation mixture(const at::Tensor& x, const sharding::Context& context,
                               const sharding::Weights& weights) const;
  Remakable gated(const at::Tensor& gate, const at::Tensor& up) const;
  at::Tensor apply(const Affine& affine, const Remakable& x, const sharding::Context& context,
                   const sharding::Weights& weights) const;
  Remakable norm(const Affine& affine, const at::Tensor& x, const sharding::Context& context,
                 const sharding::Weights& weights) const;

  BlockLayout layout_;
  LoraLayout adapters_;
  /// Where the block's own group is in 4 bits: which of its parameters are.
  std::vector<char> four_bit_;
  std::int64_t layer_;
  std::int64_t window_;
};

/// Final norm and output projection: the loss where the context has labels, else the logits.
class HeadUnit : public NamedUnit {
 public:
  /// `groups`: its own, and the embedding's where the weight is tied.
  HeadUnit(std::vector<int> groups, std::shared_ptr<const Shared> shared);
  sharding::Activation forward(const sharding::Activation& input, const sharding::Context& context,
                               const sharding::Weights& weights) const override;

 private:
  HeadLayout layout_;
};

}  // namespace trireme::model
