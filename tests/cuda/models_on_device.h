#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/device.h"
#include "model/build.h"
#include "tests/cuda/watched_device.h"

namespace trireme::tests {

/// A small model and how it is trained.
struct ModelCase {
  std::string name;
  std::string config;
  std::optional<model::LoraSettings> lora;
  std::int64_t vocabulary_chunk = 0;
  bool packed = false;
  /// Kernels that must have been the device's.
  std::vector<std::string> kernels;
};

std::vector<ModelCase> model_cases();

struct Compared {
  /// Of the loss, and of each gradient against its largest element.
  double loss = 0, gradient = 0;
};

/// Loss and gradients of two micro-batches, computed by the host's processors and on a device from the same
/// weights.
class ModelsOnDevice {
 public:
  /// `place`: where the device's tensors lie.
  ModelsOnDevice(Device& device, at::Device place)
      : device_(device), stream_(device.make_stream()), place_(place) {
    stream_->use_for_tensors();
  }

  void expect_alike(const ModelCase& each, at::ScalarType compute, const Compared& allowed);
  /// The same bits from one pass to the next.
  void expect_the_same_twice(const ModelCase& each, at::ScalarType compute);
  /// Losses and hits where nothing is trained.
  void expect_alike_in_evaluation(const ModelCase& each);

 private:
  WatchedDevice device_;
  std::unique_ptr<Stream> stream_;
  at::Device place_;
};

}  // namespace trireme::tests
