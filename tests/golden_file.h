#pragma once
#include <filesystem>
#include <string>

#include <ATen/ATen.h>

#include "io/safetensors.h"

namespace trireme::testing {

/// Tensors that another program wrote, below tests/golden.
class GoldenFile {
 public:
  explicit GoldenFile(const std::string& path) : file_(std::filesystem::path(TRIREME_GOLDEN) / path) {}
  at::Tensor floats(const std::string& name) const { return read(name, at::kFloat); }
  at::Tensor bytes(const std::string& name) const { return read(name, at::kByte); }
  at::Tensor bf16(const std::string& name) const { return read(name, at::kBFloat16); }

 private:
  at::Tensor read(const std::string& name, at::ScalarType type) const {
    const io::StoredTensor& stored = file_.at(name);
    at::Tensor tensor = at::empty(stored.shape, type);
    file_.read(stored, 0, {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
    return tensor;
  }
  io::SafetensorsFile file_;
};

}  // namespace trireme::testing
