#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

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

void softmax_loss_rows(const SoftmaxLoss& args, std::int64_t first_row, std::int64_t rows, DType dtype);

}  // namespace trireme::model::kernels
