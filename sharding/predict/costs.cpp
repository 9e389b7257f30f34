#include "sharding/predict/costs.h"

#include <algorithm>
#include <cmath>

#include "sharding/wires.h"

namespace trireme::sharding {
namespace {

constexpr double backward_attention = 2.5, backward_elementwise = 2;

/// What encoding and decoding pass over in memory: the numbers at rest, twice, and as they travel, twice.
double codec_bytes(const Schedule& schedule, const Op& op) {
  if (schedule.circles[static_cast<std::size_t>(op.communicator)].wire == Wire::raw) return 0;
  const GroupFacts& group = schedule.facts.groups[static_cast<std::size_t>(op.target)];
  const double width = op.kind == OpKind::gather ? static_cast<double>(group.element_bytes) : sizeof(float);
  return 2 * (static_cast<double>(elements_moved(group, op)) * width + static_cast<double>(op.bytes));
}

double product_seconds(const Product& product, const Machine& machine, bool fp32) {
  const auto share = [](double size, double half) { return size / (size + half); };
  const double widths = share(product.n, machine.small_dimension) * share(product.k, machine.small_dimension);
  const double rate = (fp32 ? machine.matrix_flops_fp32 : machine.matrix_flops) * machine.matrix_share *
                      share(product.m, machine.small_rows) * widths;
  const double element = fp32 ? 4 : 2;
  const double bytes =
      element * product.count * (product.m * product.n + product.n * product.k + product.m * product.k);
  return std::max(product.flops() / rate, bytes / machine.memory_bytes_per_s) +
         product.count * machine.kernel_s;
}

double products_seconds(const std::vector<Product>& products, const Machine& machine, bool fp32) {
  double seconds = 0;
  for (const Product& product : products) seconds += product_seconds(product, machine, fp32);
  return seconds;
}

double attention_seconds(double flops, const Machine& machine, bool fp32) {
  return flops / ((fp32 ? machine.matrix_flops_fp32 : machine.matrix_flops) * machine.attention_share);
}
double elementwise_seconds(double bytes, const Machine& machine) {
  return bytes / (machine.memory_bytes_per_s * machine.memory_share);
}

}  // namespace

double forward_seconds(const UnitWork& work, const Machine& machine, bool fp32) {
  return products_seconds(work.products, machine, fp32) +
         products_seconds(work.adapter_products, machine, fp32) +
         attention_seconds(work.attention_flops, machine, fp32) +
         elementwise_seconds(work.elementwise_bytes, machine) + work.kernels * machine.kernel_s;
}

double backward_seconds(const UnitWork& work, const Machine& machine, bool fp32) {
  if (!work.input_gradient && !work.weights_trained && work.adapter_products.empty()) return 0;
  const double passes = (work.input_gradient ? 1 : 0) + (work.weights_trained ? 1 : 0);
  return machine.backward_factor *
         (passes * products_seconds(work.products, machine, fp32) +
          2 * products_seconds(work.adapter_products, machine, fp32) +
          backward_attention * attention_seconds(work.attention_flops, machine, fp32) +
          backward_elementwise *
              (elementwise_seconds(work.elementwise_bytes, machine) + work.kernels * machine.kernel_s));
}

OpCost collective_cost(const Machine& machine, const Reach& reach, int ranks_per_node, double bytes,
                       int rounds) {
  if (reach.ranks == 1) return {};
  const double n = reach.ranks, moved = rounds * bytes * (n - 1) / n;
  if (reach.inside_node())
    return {rounds * (n - 1) * machine.inside.delay_s,
            moved / (machine.inside.bytes_per_s * machine.link_share), Carrier::inside_node};
  // A ring crosses each node's border once, while the node's other ranks do the same in circles of their own.
  const double nodes = n / reach.beside;
  const double border = machine.across.bytes_per_s * reach.beside / ranks_per_node;
  const double rate = std::min(border, machine.inside.bytes_per_s) * machine.link_share;
  const double ring = rounds * ((n - nodes) * machine.inside.delay_s + nodes * machine.across.delay_s);
  const double tree = 2 * rounds * (std::log2(nodes) + 1) * machine.across.delay_s +
                      2 * rounds * (reach.beside - 1) * machine.inside.delay_s;
  return {rounds == 2 ? std::min(ring, tree) : ring, moved / rate, Carrier::across_nodes};
}

std::vector<OpCost> costs_of(const Schedule& schedule, const Placement& placement, const ModelWork& work,
                             const Machine& machine, const Extent& extent) {
  std::vector<Reach> reaches;
  for (const Circle& circle : schedule.circles) reaches.push_back(reach_of(circle, extent.node));
  const auto reach = [&](const Op& op) { return reaches[static_cast<std::size_t>(op.communicator)]; };
  const bool fp32 = placement.parameters.codec == Codec::fp32;
  const bool host_update = placement.optimizer.tier != Tier::device;
  const bool keeps_attention = schedule.options.activations == Activations::recomputed_except_attention;
  std::vector<double> forward, again, backward;
  for (const UnitWork& unit : work.units) {
    forward.push_back(forward_seconds(unit, machine, fp32));
    UnitWork repeated = unit;
    if (keeps_attention && unit.attention_bytes > 0) repeated.attention_flops = 0;
    again.push_back(forward_seconds(repeated, machine, fp32));
    backward.push_back(backward_seconds(unit, machine, fp32));
  }
  std::vector<char> kept(work.units.size() * static_cast<std::size_t>(schedule.options.micro_batches), 0);
  std::vector<OpCost> costs;
  costs.reserve(schedule.ops.size());
  for (const Op& op : schedule.ops) {
    const auto target = static_cast<std::size_t>(std::max(op.target, 0));
    OpCost cost;
    switch (op.kind) {
      case OpKind::forward:
        kept[static_cast<std::size_t>(op.micro_batch) * work.units.size() + target] = op.keep;
        cost.work_s = forward[target];
        break;
      case OpKind::backward:
        cost.work_s = backward[target];
        if (!kept[static_cast<std::size_t>(op.micro_batch) * work.units.size() + target])
          cost.work_s += again[target] * work.recomputed_share * machine.recompute_share;
        break;
      case OpKind::gather:
      case OpKind::reduce:
        if (op.communicator < 0) break;
        cost = collective_cost(machine, reach(op), extent.node, static_cast<double>(op.bytes),
                               op.route == Route::replicas ? 2 : 1);
        cost.delay_s += elementwise_seconds(codec_bytes(schedule, op), machine);
        break;
      case OpKind::stash:
        cost.work_s = elementwise_seconds(2.0 * static_cast<double>(op.bytes), machine);
        break;
      case OpKind::norm:
        if (op.communicator >= 0) cost = collective_cost(machine, reach(op), extent.node, 0, 2);
        cost.delay_s += machine.step_s;
        break;
      case OpKind::update: {
        const double elements = static_cast<double>(op.bytes) / sizeof(float);
        const double on_device = machine.update_bytes_per_s > 0
                                     ? machine.update_bytes_per_s
                                     : machine.memory_bytes_per_s * machine.memory_share;
        const double rate = host_update ? machine.host_update_bytes_per_s / extent.node : on_device;
        cost.work_s = elements * update_bytes_per_element / rate;
        if (host_update) cost.work_s += elements * 6 / machine.host_link_bytes_per_s;
        if (placement.optimizer.tier == Tier::nvme) cost.work_s += elements * 24 / machine.nvme_bytes_per_s;
        break;
      }
      case OpKind::drop:
      case OpKind::fetch:
      case OpKind::snapshot:
      case OpKind::spill:
        break;
    }
    costs.push_back(cost);
  }
  return costs;
}

}  // namespace trireme::sharding
