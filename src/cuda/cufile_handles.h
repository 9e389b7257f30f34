#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "cuda/apis.h"
#include "cuda/cufile_driver.h"
#include "offload/nvme/backend.h"

namespace trireme::cuda {

/// A file that cuFile knows, by a descriptor that stays open longer.
class RegisteredFile {
 public:
  RegisteredFile(const CufileApi& api, int descriptor);
  ~RegisteredFile();
  RegisteredFile(const RegisteredFile&) = delete;
  RegisteredFile& operator=(const RegisteredFile&) = delete;

  const cufile::Status& status() const { return status_; }
  cufile::File handle() const { return handle_; }

 private:
  const CufileApi& api_;
  cufile::File handle_ = nullptr;
  cufile::Status status_;
};

/// Device memory that drives reach by itself.
class RegisteredMemory {
 public:
  RegisteredMemory(const CufileApi& api, std::span<std::byte> memory);
  ~RegisteredMemory();
  RegisteredMemory(const RegisteredMemory&) = delete;
  RegisteredMemory& operator=(const RegisteredMemory&) = delete;

  const cufile::Status& status() const { return status_; }
  std::span<std::byte> memory() const { return memory_; }

 private:
  const CufileApi& api_;
  std::span<std::byte> memory_;
  cufile::Status status_;
};

/// One request at a time in a stream of its own, so that requests end in any order.
class CufileLane {
 public:
  using Passed = void (*)(void* lane);
  /// `passed` is called with `about` from a thread of CUDA's once the stream has passed a request.
  CufileLane(const CudaApi& cuda, const CufileApi& api, cudaHostFn_t passed, void* about);
  ~CufileLane();
  CufileLane(const CufileLane&) = delete;
  CufileLane& operator=(const CufileLane&) = delete;

  /// `base` is the start of the registered memory around the request's, or the request's own.
  cufile::Status start(cufile::File file, std::byte* base, const offload::Request& request);
  const offload::Request& request() const { return request_; }
  /// Bytes, or an error below zero; known once the stream has passed the request.
  ssize_t moved() const { return moved_; }
  /// False: the device has failed, and nothing more will be told of the request.
  bool healthy() const;

 private:
  const CudaApi& cuda_;
  const CufileApi& api_;
  cudaHostFn_t passed_;
  void* about_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t end_ = nullptr;
  bool known_ = false;
  offload::Request request_;
  /// The library reads and writes these when the stream comes to the request.
  std::size_t bytes_ = 0;
  off_t file_offset_ = 0, memory_offset_ = 0;
  ssize_t moved_ = 0;
};

}  // namespace trireme::cuda
