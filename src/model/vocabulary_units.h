#pragma once
#include <string>
#include <vector>

#include "model/units.h"
#include "model/vocabulary.h"

namespace trireme::model {

/// Writes the vectors of the tokens that are in its chunk; the others pass. The last chunk's unit does what
/// comes after the table.
class EmbeddingChunkUnit : public NamedUnit {
 public:
  EmbeddingChunkUnit(std::string name, VocabularyChunk chunk, std::vector<int> groups,
                     std::shared_ptr<const Shared> shared);
  bool keeps_little() const override { return true; }
  bool backward_reads_weights() const override { return false; }
  sharding::Activation forward(const sharding::Activation& input, const sharding::Context& context,
                               const sharding::Weights& weights) const override;

 private:
  VocabularyChunk chunk_;
};

/// The norm before the head's chunks, and the beginning of what they hand on from one to the next. Where
/// there are labels that is for each token the logarithm of the sum of exponentials so far and the logit of
/// its label (and without training the largest logit, and whether the label has it); else the logits so far.
class HeadNormUnit : public NamedUnit {
 public:
  HeadNormUnit(std::vector<int> groups, std::shared_ptr<const Shared> shared);
  sharding::Activation forward(const sharding::Activation& input, const sharding::Context& context,
                               const sharding::Weights& weights) const override;

 private:
  HeadLayout layout_;
};

/// Logits of one chunk; the last gives what a `HeadUnit` gives.
class HeadChunkUnit : public NamedUnit {
 public:
  HeadChunkUnit(std::string name, VocabularyChunk chunk, std::vector<int> groups,
                std::shared_ptr<const Shared> shared);
  bool keeps_little() const override { return true; }
  sharding::Activation forward(const sharding::Activation& input, const sharding::Context& context,
                               const sharding::Weights& weights) const override;

 private:
  bool is_last() const { return chunk_.first + chunk_.rows == spec().vocabulary; }
  sharding::Activation add_logits(const sharding::Activation& input, const at::Tensor& weight) const;

  VocabularyChunk chunk_;
};

}  // namespace trireme::model
