#pragma once
#include <vector>

#include <ATen/core/Tensor.h>

#include "sharding/unit.h"

namespace trireme::model {

/// Keys and values of the tokens that went before, for each layer, so that generating computes each token
/// once.
class KeyValueCache final : public sharding::UnitMemory {
 public:
  /// Room for `positions` tokens.
  KeyValueCache(std::int64_t layers, std::int64_t positions);

  std::int64_t length(std::int64_t layer) const { return layers_[static_cast<std::size_t>(layer)].length; }
  struct Entries {
    at::Tensor key, value;
  };
  /// Adds keys and values [batch, new, heads, size] of a layer; all that it has now.
  Entries append(std::int64_t layer, const at::Tensor& key, const at::Tensor& value);

 private:
  struct Layer {
    at::Tensor key, value;
    std::int64_t length = 0;
  };
  std::int64_t positions_;
  std::vector<Layer> layers_;
};

}  // namespace trireme::model
