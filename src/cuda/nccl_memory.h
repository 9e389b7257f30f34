#pragma once
#include <list>
#include <memory>
#include <mutex>

#include "core/buffer.h"
#include "cuda/cuda_device.h"

namespace trireme::cuda {

/// Memory of NCCL's own allocator, which goes back when nobody holds the block any more.
class NcclBlock {
 public:
  NcclBlock(const NcclApi& api, const CudaDevice& device, std::size_t bytes);
  ~NcclBlock() { api_.mem_free(data_); }
  NcclBlock(const NcclBlock&) = delete;
  NcclBlock& operator=(const NcclBlock&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  const NcclApi& api_;
  std::size_t bytes_;
  void* data_ = nullptr;
};

/// One communicator as the memory sees it: something that blocks are registered with. Neither call waits for
/// one of the communicator's own, since that may wait for another rank, which may be allocating too.
class Registrar {
 public:
  virtual ~Registrar() = default;
  virtual void add(std::shared_ptr<const NcclBlock> block) = 0;
  virtual void remove(const NcclBlock& block) noexcept = 0;
};

/// The buffers that NCCL reads and writes in place. Each is registered with every communicator of the
/// process, whichever came first, since a buffer may be used with all of them.
class NcclMemory : public std::enable_shared_from_this<NcclMemory> {
 public:
  NcclMemory(const NcclApi& api, const CudaDevice& device) : api_(api), device_(device) {}

  Buffer allocate(std::size_t bytes);
  void attach(Registrar& registrar);
  /// From here on the registrar hears of no block; those that it has are its own affair.
  void detach(Registrar& registrar) noexcept;

 private:
  const NcclApi& api_;
  const CudaDevice& device_;
  std::mutex mutex_;
  std::list<std::shared_ptr<const NcclBlock>> blocks_;
  std::list<Registrar*> registrars_;
};

}  // namespace trireme::cuda
