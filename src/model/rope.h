#pragma once
#include <mutex>

#include <ATen/core/Tensor.h>

#include "model/spec.h"

namespace trireme::model {

/// The angle per position of each pair of a head's elements, lowest index first.
std::vector<double> rope_frequencies(const RopeSpec& rope, std::int64_t head_size);

/// Cosines and sines of positions 0, 1, …; one table serves all blocks of a model and grows when longer rows
/// come.
class RopeTable {
 public:
  RopeTable(const RopeSpec& rope, std::int64_t head_size);
  struct Rows {
    at::Tensor cosine, sine;  ///< float [positions, head_size / 2]
  };
  Rows at_least(std::int64_t positions, const at::Device& device);

 private:
  std::vector<double> frequencies_;
  std::mutex mutex_;
  Rows rows_;
};

/// Turns the halves of the last dimension of x [batch, sequence, heads, head_size] by the angles of
/// `positions` [batch, sequence].
at::Tensor rotate(const at::Tensor& x, const at::Tensor& positions, const RopeTable::Rows& rows);

}  // namespace trireme::model
