#include "sharding/support.h"

#include "core/error.h"

namespace trireme::sharding {
namespace {

void require_memory(const Placement& placement, const char* name, const State& state) {
  if (state.tier == Tier::nvme)
    fail(ExitCode::configuration, "placement '{}': {} cannot be kept on NVMe yet; set placement.{}.tier=host",
         placement.name, name, name);
}

}  // namespace

void require_supported(const Placement& placement) {
  require_memory(placement, "parameters", placement.parameters);
  require_memory(placement, "optimizer", placement.optimizer);
  if (placement.frozen) {
    require_memory(placement, "frozen", *placement.frozen);
  }
  if (placement.gradients.codec != Codec::fp32)
    fail(ExitCode::configuration,
         "placement '{}': gradients are accumulated in fp32; set placement.gradients.codec=fp32",
         placement.name);
  if (placement.optimizer.codec != Codec::fp32)
    fail(ExitCode::configuration,
         "placement '{}': this optimizer keeps its state in fp32; set placement.optimizer.codec=fp32",
         placement.name);
  if (placement.secondary && placement.secondary->codec != placement.parameters.codec)
    fail(ExitCode::configuration,
         "placement '{}': the secondary copy is stored as the parameters are; set "
         "placement.secondary.codec={}",
         placement.name, name_of(placement.parameters.codec));
  if (placement.activations == Activations::recomputed_except_attention)
    fail(ExitCode::configuration,
         "placement '{}': activations are kept or recomputed by block; set placement.activations=recomputed",
         placement.name);
}

}  // namespace trireme::sharding
