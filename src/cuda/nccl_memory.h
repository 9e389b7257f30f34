#pragma once
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "core/buffer.h"
#include "cuda/cuda_device.h"

namespace trireme::cuda {

/// One communicator as the memory sees it: something that buffers are registered with.
class Registrar {
 public:
  virtual ~Registrar() = default;
  /// Returns NCCL's handle. Keeps out of the way of the communicator's calls.
  virtual void* register_memory(void* data, std::size_t bytes) = 0;
  virtual void deregister_memory(void* handle) noexcept = 0;
};

/// The buffers that NCCL reads and writes in place. Each is registered with every communicator of the
/// process, whichever came first, since a buffer may be used with all of them.
class NcclMemory : public std::enable_shared_from_this<NcclMemory> {
 public:
  NcclMemory(const NcclApi& api, const CudaDevice& device) : api_(api), device_(device) {}

  Buffer allocate(std::size_t bytes);
  void attach(Registrar& registrar);
  void detach(Registrar& registrar) noexcept;

 private:
  struct Block {
    void* data = nullptr;
    std::size_t bytes = 0;
    std::map<Registrar*, void*> handles;
  };
  void release(std::list<Block>::iterator block) noexcept;

  const NcclApi& api_;
  const CudaDevice& device_;
  std::mutex mutex_;
  std::list<Block> blocks_;
  std::list<Registrar*> registrars_;
};

}  // namespace trireme::cuda
