#include "cuda/nccl_registrations.h"

#include <utility>

#include "cuda/check.h"

namespace trireme::cuda {

NcclRegistrations::~NcclRegistrations() {
  for (const auto& [address, registered] : registered_) deregister(registered);
}

void NcclRegistrations::add(std::shared_ptr<const NcclBlock> block) {
  std::lock_guard lock(mutex_);
  const NcclBlock* address = block.get();
  waiting_.emplace(address, std::move(block));
}

void NcclRegistrations::remove(const NcclBlock& block) noexcept {
  std::lock_guard lock(mutex_);
  waiting_.erase(&block);
  const auto found = registered_.find(&block);
  if (found == registered_.end()) return;
  if (in_call_)
    leaving_.push_back(std::move(found->second));
  else
    deregister(found->second);
  registered_.erase(found);
}

void NcclRegistrations::begin_call() {
  std::lock_guard lock(mutex_);
  while (!waiting_.empty() && !comm_.broken()) {
    const auto& [address, block] = *waiting_.begin();
    Registered registered{block};
    check(api_, api_.comm_register(comm_.get(), block->data(), block->bytes(), &registered.handle),
          "ncclCommRegister", comm_.get());
    registered_.emplace(address, std::move(registered));
    waiting_.erase(waiting_.begin());
  }
  in_call_ = true;
}

void NcclRegistrations::end_call() noexcept {
  std::lock_guard lock(mutex_);
  in_call_ = false;
  for (const Registered& registered : leaving_) deregister(registered);
  leaving_.clear();
}

void NcclRegistrations::give_up() noexcept {
  std::lock_guard lock(mutex_);
  comm_.give_up();
  registered_.clear();
  leaving_.clear();
}

void NcclRegistrations::deregister(const Registered& registered) noexcept {
  if (registered.handle && !comm_.broken()) api_.comm_deregister(comm_.get(), registered.handle);
}

}  // namespace trireme::cuda
