#include "sharding/support.h"

#include "core/error.h"

namespace trireme::sharding {

void require_supported(const Placement& placement, bool device_apart) {
  if (placement.gradients.codec != Codec::fp32)
    fail(ExitCode::configuration,
         "placement '{}': gradients are accumulated in fp32; set placement.gradients.codec=fp32",
         placement.name);
  if (placement.optimizer.codec != Codec::fp32)
    fail(ExitCode::configuration,
         "placement '{}': the form of the state is the optimizer's; set placement.optimizer.codec=fp32 and "
         "optimizer: adamw_bnb_8bit for 8-bit state",
         placement.name);
  if (placement.secondary && placement.secondary->codec != placement.parameters.codec)
    fail(ExitCode::configuration,
         "placement '{}': the secondary copy is stored as the parameters are; set "
         "placement.secondary.codec={}",
         placement.name, name_of(placement.parameters.codec));
  if (device_apart && placement.gradients.tier == Tier::host && placement.optimizer.tier == Tier::device)
    fail(ExitCode::configuration,
         "placement '{}': gradients on the host are applied there, and the optimizer's state is on a GPU, to "
         "which all of them would come back; set placement.optimizer.tier=host or "
         "placement.gradients.tier=device",
         placement.name);
  if (device_apart && placement.parameters.tier == Tier::nvme && placement.optimizer.tier == Tier::device)
    fail(
        ExitCode::configuration,
        "placement '{}': parameters on NVMe are updated by the host, which does not reach optimizer state on "
        "a GPU; set placement.optimizer.tier=host or nvme",
        placement.name);
}

}  // namespace trireme::sharding
