#include "cuda/nccl_world.h"

#include <cstring>
#include <utility>

#include "core/error.h"
#include "cuda/check.h"
#include "cuda/nccl_communicator.h"

namespace trireme::cuda {
namespace {

constexpr int oldest_nccl = NCCL_VERSION(2, 28, 0);

/// What rank 0 hands out. A failure to make it travels too, so that all ranks end with the same sentence and
/// none waits.
struct Invitation {
  ncclUniqueId id;
  int result = ncclSuccess;
};

ncclUniqueId exchange_id(const NcclApi& api, const comm::DeviceWorldOptions& options) {
  Invitation invitation{};
  if (options.rank == 0) invitation.result = api.get_unique_id(&invitation.id);
  options.broadcast_from_first(&invitation, sizeof invitation);
  check(api, static_cast<ncclResult_t>(invitation.result), "ncclGetUniqueId on rank 0");
  return invitation.id;
}

}  // namespace

NcclWorld::NcclWorld(const Apis& apis, CudaDevice& device, comm::DeviceWorldOptions options)
    : apis_(apis),
      device_(device),
      options_(std::move(options)),
      memory_(std::make_shared<NcclMemory>(apis.nccl, device)) {
  int version = 0;
  check(apis_.nccl, apis_.nccl.get_version(&version), "ncclGetVersion");
  if (version < oldest_nccl)
    fail(ExitCode::configuration,
         "the NCCL that was loaded has version code {} and trireme needs 2.28 or newer; update NCCL",
         version);
  device_.use();
  const ncclUniqueId id = exchange_id(apis_.nccl, options_);
  everyone_ = std::make_unique<NcclComm>(apis_.nccl, "everyone", id, rank(), size(), options_.time_limit);
}

std::unique_ptr<comm::Communicator> NcclWorld::communicator(const comm::Group& group,
                                                            std::string_view backend,
                                                            comm::CommunicatorOptions options) {
  if (backend != "nccl" && backend != "auto")
    fail(ExitCode::usage, "there is no communicator backend '{}' for device memory; known are: nccl, auto",
         backend);
  const int own = group.index_of(rank());
  require(own >= 0, "rank {} asks for a communicator of a group that it is not in", rank());
  device_.use();
  auto comm = std::make_unique<NcclComm>(*everyone_, options.name, group.ranks.front(), own,
                                         options_.time_limit, options.time_limit);
  std::vector<int> nodes;
  for (const int member : group.ranks) nodes.push_back(node_of_rank()[static_cast<std::size_t>(member)]);
  return std::make_unique<NcclCommunicator>(apis_, device_, memory_, std::move(comm), group, rank(),
                                            std::move(nodes), std::move(options));
}

}  // namespace trireme::cuda
