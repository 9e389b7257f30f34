#include "sharding/presets.h"

#include <array>

#include <fmt/ranges.h>

#include "core/error.h"

namespace trireme::sharding {
namespace {

constexpr Span one = Span::one(), node = Span::node(), world = Span::world();
constexpr Tier device = Tier::device, host = Tier::host, nvme = Tier::nvme;

struct Row {
  const char* name;
  Span parameters, gradients, optimizer;
  std::optional<Span> secondary = std::nullopt;
  Wire parameter_wire = Wire::raw, gradient_wire = Wire::raw;
  Tier parameter_tier = device, gradient_tier = device, optimizer_tier = device;
  bool quantised_base = false;
};

const std::array rows{
    Row{"ddp", one, one, one},
    Row{"zero1", one, one, world},
    Row{"zero2", one, world, world},
    Row{"zero3", world, world, world},
    Row{"fsdp_full", world, world, world},
    Row{"fsdp_grad_op", world, world, world, one},
    Row{"hsdp", node, node, node},
    Row{"mics", node, node, node},
    Row{"hpz", world, world, world, node},
    Row{"qwz", world, world, world, std::nullopt, Wire::int8},
    Row{"qgz", world, world, world, std::nullopt, Wire::raw, Wire::int4_two_hop},
    Row{"zeropp", world, world, world, node, Wire::int8, Wire::int4_two_hop},
    Row{.name = "qlora_fsdp",
        .parameters = world,
        .gradients = world,
        .optimizer = world,
        .quantised_base = true},
    Row{"zero_offload", one, world, world, std::nullopt, Wire::raw, Wire::raw, device, host, host},
    Row{"zero_infinity", world, world, world, std::nullopt, Wire::raw, Wire::raw, nvme, host, nvme},
};

}  // namespace

Placement preset(std::string_view name, Codec compute) {
  for (const Row& row : rows) {
    if (row.name != name) continue;
    Placement placement;
    placement.name = row.name;
    placement.parameters = {row.parameters, row.parameter_tier, compute, row.parameter_wire};
    placement.gradients = {row.gradients, row.gradient_tier, Codec::fp32, row.gradient_wire};
    placement.optimizer = {row.optimizer, row.optimizer_tier, Codec::fp32, Wire::raw};
    if (row.secondary) placement.secondary = State{*row.secondary, device, compute, Wire::raw};
    if (row.quantised_base) placement.frozen = State{row.parameters, device, Codec::nf4, Wire::raw};
    return placement;
  }
  fail(ExitCode::configuration, "there is no placement preset '{}'; known are {}", name,
       fmt::join(preset_names(), ", "));
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> names;
  for (const Row& row : rows) names.emplace_back(row.name);
  return names;
}

}  // namespace trireme::sharding
