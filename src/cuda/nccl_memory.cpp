#include "cuda/nccl_memory.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/error.h"
#include "cuda/check.h"

namespace trireme::cuda {

NcclBlock::NcclBlock(const NcclApi& api, const CudaDevice& device, std::size_t bytes)
    : api_(api), bytes_(std::max<std::size_t>(bytes, 1)) {
  device.use();
  device.count_memory_wait();
  ncclResult_t code = api_.mem_alloc(&data_, bytes_);
  if (code == ncclUnhandledCudaError && device.take_unused_from_tensors())
    code = api_.mem_alloc(&data_, bytes_);
  if (code == ncclUnhandledCudaError)
    fail(ExitCode::configuration, "GPU {} ({}) gives no {} for communication: {}; {} are free",
         device.index(), device.info().pci_id, human_bytes(static_cast<double>(bytes)),
         api_.get_last_error(nullptr), human_bytes(static_cast<double>(device.memory().free_bytes)));
  check(api_, code, "ncclMemAlloc");
}

Buffer NcclMemory::allocate(std::size_t bytes) {
  const auto block = std::make_shared<const NcclBlock>(api_, device_, bytes);
  std::lock_guard lock(mutex_);
  const auto kept = blocks_.insert(blocks_.end(), block);
  for (Registrar* registrar : registrars_) registrar->add(block);
  return Buffer(block->data(), bytes, [self = shared_from_this(), kept] {
    std::lock_guard again(self->mutex_);
    for (Registrar* registrar : self->registrars_) registrar->remove(**kept);
    self->blocks_.erase(kept);
  });
}

void NcclMemory::attach(Registrar& registrar) {
  std::lock_guard lock(mutex_);
  registrars_.push_back(&registrar);
  for (const auto& block : blocks_) registrar.add(block);
}

void NcclMemory::detach(Registrar& registrar) noexcept {
  std::lock_guard lock(mutex_);
  registrars_.remove(&registrar);
}

}  // namespace trireme::cuda
