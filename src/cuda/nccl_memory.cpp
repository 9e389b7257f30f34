#include "cuda/nccl_memory.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/error.h"
#include "cuda/check.h"

namespace trireme::cuda {

Buffer NcclMemory::allocate(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  device_.use();
  Block block{nullptr, std::max<std::size_t>(bytes, 1), {}};
  const ncclResult_t code = api_.mem_alloc(&block.data, block.bytes);
  if (code == ncclUnhandledCudaError)
    fail(ExitCode::configuration, "GPU {} ({}) gives no {} for communication: {}; {} are free",
         device_.index(), device_.info().pci_id, human_bytes(static_cast<double>(bytes)),
         api_.get_last_error(nullptr), human_bytes(static_cast<double>(device_.memory().free_bytes)));
  check(api_, code, "ncclMemAlloc");
  const auto kept = blocks_.insert(blocks_.end(), std::move(block));
  try {
    for (Registrar* registrar : registrars_)
      kept->handles[registrar] = registrar->register_memory(kept->data, kept->bytes);
  } catch (...) {
    release(kept);
    throw;
  }
  return Buffer(kept->data, bytes, [self = shared_from_this(), kept] {
    std::lock_guard again(self->mutex_);
    self->release(kept);
  });
}

void NcclMemory::release(std::list<Block>::iterator block) noexcept {
  for (const auto& [registrar, handle] : block->handles) registrar->deregister_memory(handle);
  api_.mem_free(block->data);
  blocks_.erase(block);
}

void NcclMemory::attach(Registrar& registrar) {
  std::lock_guard lock(mutex_);
  registrars_.push_back(&registrar);
  for (Block& block : blocks_) block.handles[&registrar] = registrar.register_memory(block.data, block.bytes);
}

void NcclMemory::detach(Registrar& registrar) noexcept {
  std::lock_guard lock(mutex_);
  registrars_.remove(&registrar);
  for (Block& block : blocks_) {
    const auto found = block.handles.find(&registrar);
    if (found == block.handles.end()) continue;
    registrar.deregister_memory(found->second);
    block.handles.erase(found);
  }
}

}  // namespace trireme::cuda
