#pragma once
#include <map>
#include <string>

#include "comm/codec/coder.h"
#include "core/device.h"
#include "core/device_kernels.h"
#include "offload/nvme/backend.h"

namespace trireme::tests {

/// Counts which kernels of a device are called.
class WatchedKernels final : public DeviceKernels {
 public:
  explicit WatchedKernels(DeviceKernels& kernels) : kernels_(kernels) {}
  int calls(const std::string& name) const {
    const auto found = calls_.find(name);
    return found == calls_.end() ? 0 : found->second;
  }
  void forget() { calls_.clear(); }

  void norm(const kernels::NormForward& args, std::int64_t rows, DType type) override {
    note("norm").norm(args, rows, type);
  }
  void norm_backward(const kernels::NormBackward& args, std::int64_t rows, std::int64_t rows_a_chunk,
                     DType type) override {
    note("norm_backward").norm_backward(args, rows, rows_a_chunk, type);
  }
  void rotate(const kernels::Rotation& args, std::int64_t rows, DType type) override {
    note("rotate").rotate(args, rows, type);
  }
  void swiglu(const kernels::SwiGlu& args, std::int64_t count, DType type) override {
    note("swiglu").swiglu(args, count, type);
  }
  void swiglu_backward(const kernels::SwiGluBackward& args, std::int64_t count, DType type) override {
    note("swiglu_backward").swiglu_backward(args, count, type);
  }
  void add_chunk_rows(const kernels::ChunkRows& rows, const kernels::ChunkSums& sums, std::int64_t count,
                      DType type) override {
    note("add_chunk_rows").add_chunk_rows(rows, sums, count, type);
  }
  void chunk_rows_backward(const kernels::ChunkRows& rows, const kernels::ChunkGradients& gradients,
                           std::int64_t count, DType type) override {
    note("chunk_rows_backward").chunk_rows_backward(rows, gradients, count, type);
  }
  void softmax_loss(const kernels::SoftmaxLoss& args, std::int64_t rows, DType type) override {
    note("softmax_loss").softmax_loss(args, rows, type);
  }
  void dequantise_nf4(const kernels::Nf4Weight& weight, void* into, DType type) override {
    note("dequantise_nf4").dequantise_nf4(weight, into, type);
  }
  void dropout_mask(const kernels::DropoutMask& args, DType type) override {
    note("dropout_mask").dropout_mask(args, type);
  }
  void add(float* into, const float* from, std::int64_t count) override {
    note("add").add(into, from, count);
  }
  void convert(const void* from, DType from_type, void* into, DType into_type, std::int64_t count) override {
    note("convert").convert(from, from_type, into, into_type, count);
  }
  void add_squares(const float* values, std::int64_t count, double* sums) override {
    note("add_squares").add_squares(values, count, sums);
  }
  void make_splittable(float* values, std::int64_t count) override {
    note("make_splittable").make_splittable(values, count);
  }
  void adamw(const offload::AdamWFactors& factors, const offload::AdamWRun& run) override {
    note("adamw").adamw(factors, run);
  }
  void adamw8(const offload::AdamWFactors& factors, const offload::AdamW8Run& run) override {
    note("adamw8").adamw8(factors, run);
  }
  void sgd(const offload::SgdRun& run) override { note("sgd").sgd(run); }

 private:
  DeviceKernels& note(const char* name) {
    ++calls_[name];
    return kernels_;
  }
  DeviceKernels& kernels_;
  std::map<std::string, int> calls_;
};

/// A device as it is, but for that.
class WatchedDevice final : public Device {
 public:
  explicit WatchedDevice(Device& device) : device_(device), kernels_(device.kernels()) {}
  WatchedKernels& watched() { return kernels_; }

  int index() const override { return device_.index(); }
  const DeviceInfo& info() const override { return device_.info(); }
  DeviceMemory memory() const override { return device_.memory(); }
  Buffer allocate(std::size_t bytes) override { return device_.allocate(bytes); }
  Buffer allocate_pinned(std::size_t bytes) override { return device_.allocate_pinned(bytes); }
  std::unique_ptr<Stream> make_stream(Priority priority) override { return device_.make_stream(priority); }
  std::unique_ptr<DeviceEvent> make_event() override { return device_.make_event(); }
  std::unique_ptr<comm::codec::Coder> make_coder(Stream& stream) override {
    return device_.make_coder(stream);
  }
  DeviceKernels& kernels() override { return kernels_; }
  bool is_host() const override { return device_.is_host(); }
  bool reaches(const void* address) const override { return device_.reaches(address); }
  bool holds(const void* address) const override { return device_.holds(address); }
  std::unique_ptr<offload::Backend> make_storage(unsigned depth, Detour detour,
                                                 std::unique_ptr<offload::Backend>& rest) override {
    return device_.make_storage(depth, detour, rest);
  }

 private:
  Device& device_;
  WatchedKernels kernels_;
};

}  // namespace trireme::tests
