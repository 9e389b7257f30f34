#include "cuda/nccl_comm.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

#include "core/error.h"
#include "cuda/check.h"

namespace trireme::cuda {
namespace {

constexpr std::chrono::milliseconds longest_patience{10'000};

ncclConfig_t without_blocking(const std::string& name) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  config.commName = name.c_str();
  return config;
}

}  // namespace

NcclComm::NcclComm(const NcclApi& api, std::string name, const ncclUniqueId& id, int rank, int size,
                   std::chrono::milliseconds limit)
    : api_(api), name_(std::move(name)), patience_(std::min(limit, longest_patience)) {
  const auto deadline = Clock::now() + limit;
  ncclConfig_t config = without_blocking(name_);
  check(api_, api_.comm_init_rank_config(&comm_, size, id, rank, &config), "ncclCommInitRankConfig");
  try {
    settle("ncclCommInitRankConfig", deadline);
  } catch (...) {
    give_up();
    throw;
  }
}

NcclComm::NcclComm(NcclComm& parent, std::string name, int color, int key, std::chrono::milliseconds limit,
                   std::chrono::milliseconds patience)
    : api_(parent.api_), name_(std::move(name)), patience_(std::min(patience, longest_patience)) {
  const auto deadline = Clock::now() + limit;
  ncclConfig_t config = without_blocking(name_);
  // NCCL writes the new handle when the parent has settled, perhaps after we have given up: then the place
  // must still be there.
  auto made = std::make_unique<ncclComm_t>(nullptr);
  check(api_, api_.comm_split(parent.get(), color, key, made.get(), &config), "ncclCommSplit", parent.get());
  try {
    parent.settle("ncclCommSplit", deadline);
    comm_ = *made;
    settle("ncclCommSplit", deadline);
  } catch (...) {
    if (comm_) give_up();
    // NOLINTNEXTLINE(bugprone-unused-return-value): given up on purpose, NCCL may still write there
    static_cast<void>(made.release());
    throw;
  }
}

NcclComm::~NcclComm() {
  close();
}

bool NcclComm::settled(std::string_view function) const {
  ncclResult_t state = ncclSuccess;
  check(api_, api_.comm_get_async_error(comm_, &state), "ncclCommGetAsyncError", comm_);
  if (state == ncclInProgress) return false;
  check(api_, state, function, comm_);
  return true;
}

void NcclComm::settle(std::string_view function, Clock::time_point deadline) {
  if (broken_)
    fail(ExitCode::requeue, "{} on group '{}' refused: the group was given up after an earlier failure",
         function, name_);
  for (unsigned poll = 1; !settled(function); ++poll) {
    if (poll % 64 != 0) continue;
    if (Clock::now() > deadline) {
      give_up();
      fail(ExitCode::hang,
           "{} on group '{}' did not come to an end in its time limit: a rank of the group has not called it",
           function, name_);
    }
    std::this_thread::yield();
  }
}

void NcclComm::give_up() noexcept {
  broken_ = true;
  if (const ncclComm_t comm = std::exchange(comm_, nullptr)) api_.comm_abort(comm);
}

void NcclComm::close() noexcept {
  if (!comm_) return;
  // In an orderly end every rank comes here; while an exception unwinds this one, the others may not.
  if (broken_ || std::uncaught_exceptions() > 0) return give_up();
  try {
    check(api_, api_.comm_finalize(comm_), "ncclCommFinalize", comm_);
    settle("ncclCommFinalize", Clock::now() + patience_);
    api_.comm_destroy(std::exchange(comm_, nullptr));
  } catch (const std::exception&) {
    give_up();
  }
}

}  // namespace trireme::cuda
