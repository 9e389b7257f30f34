#include "sharding/predict/costs.h"

#include <algorithm>
#include <cmath>

#include "sharding/predict/wire_costs.h"

namespace trireme::sharding {
namespace {

constexpr double backward_attention = 2.5, backward_elementwise = 2;

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
double factor_of(const UnitWork& work, const Machine& machine) {
  return work.scores ? machine.head_factor : 1;
}

}  // namespace

double forward_seconds(const UnitWork& work, const Machine& machine, bool fp32) {
  return factor_of(work, machine) *
         (products_seconds(work.products, machine, fp32) +
          products_seconds(work.adapter_products, machine, fp32) +
          attention_seconds(work.attention_flops, machine, fp32) +
          elementwise_seconds(work.elementwise_bytes, machine) + work.kernels * machine.kernel_s);
}

double backward_seconds(const UnitWork& work, const Machine& machine, bool fp32) {
  if (!work.input_gradient && !work.weights_trained && work.adapter_products.empty()) return 0;
  const double passes =
      (work.input_gradient ? 1 : 0) + (work.weights_trained ? 1 : 0) + (work.makes_again ? 1 : 0);
  return factor_of(work, machine) * machine.backward_factor *
         (passes * products_seconds(work.products, machine, fp32) +
          2 * products_seconds(work.adapter_products, machine, fp32) +
          backward_attention * attention_seconds(work.attention_flops, machine, fp32) +
          elementwise_seconds(work.gradient_bytes, machine) +
          backward_elementwise *
              (elementwise_seconds(work.elementwise_bytes, machine) + work.kernels * machine.kernel_s));
}

namespace {

/// Each byte crosses a node's border once, whatever the node's number of ranks, and is handed round inside.
OpCost two_level_cost(const Machine& machine, const Reach& reach, int ranks_per_node, double bytes,
                      int rounds) {
  const double nodes = static_cast<double>(reach.ranks) / reach.beside, beside = reach.beside;
  const double border = machine.across.bytes_per_s * beside / ranks_per_node;
  const double across = rounds * bytes * (nodes - 1) / nodes / (border * machine.link_share);
  const double inside =
      rounds * bytes * (beside - 1) / beside / (machine.inside.bytes_per_s * machine.link_share);
  const bool one_a_node = reach.beside == 1 && machine.lane_beside_compute > 0;
  return {rounds * ((nodes - 1) * machine.across.delay_s + 2 * (beside - 1) * machine.inside.delay_s),
          std::max(across, inside), Carrier::across_nodes, 0,
          one_a_node ? machine.lane_beside_compute : machine.collective_beside_compute};
}

}  // namespace

OpCost collective_cost(const Machine& machine, const Reach& reach, int ranks_per_node, double bytes,
                       int rounds) {
  if (reach.ranks == 1) return {};
  const double n = reach.ranks, moved = rounds * bytes * (n - 1) / n;
  if (reach.inside_node())
    return {rounds * (n - 1) * machine.inside.delay_s,
            moved / (machine.inside.bytes_per_s * machine.link_share), Carrier::inside_node};
  if (machine.device_is_host) return two_level_cost(machine, reach, ranks_per_node, bytes, rounds);
  // A ring crosses each node's border once, while the node's other ranks do the same in circles of their own.
  const double nodes = n / reach.beside;
  const double border = machine.across.bytes_per_s * reach.beside / ranks_per_node;
  const double rate = std::min(border, machine.inside.bytes_per_s) * machine.link_share;
  const double ring = rounds * ((n - nodes) * machine.inside.delay_s + nodes * machine.across.delay_s);
  const double tree = 2 * rounds * (std::log2(nodes) + 1) * machine.across.delay_s +
                      2 * rounds * (reach.beside - 1) * machine.inside.delay_s;
  return {rounds == 2 ? std::min(ring, tree) : ring, moved / rate, Carrier::across_nodes, 0,
          machine.collective_beside_compute};
}

namespace {

/// The cost of each op in turn; what a unit kept of its forward pass decides what its backward does.
class Costs {
 public:
  Costs(const Schedule& schedule, const Placement& placement, const ModelWork& work, const Machine& machine,
        const Extent& extent)
      : schedule_(schedule),
        placement_(placement),
        work_(work),
        machine_(machine),
        extent_(extent),
        fp32_(placement.parameters.codec == Codec::fp32),
        kept_(work.units.size() * static_cast<std::size_t>(schedule.options.micro_batches), 0) {
    const bool keeps_attention = schedule.options.activations == Activations::recomputed_except_attention;
    if (machine.nvme_both_bytes_per_s > 0)
      beside_writes_ = 2 / machine.nvme_both_bytes_per_s /
                       (1 / machine.nvme_bytes_per_s + 1 / machine.nvme_write_bytes_per_s);
    for (const Circle& circle : schedule.circles) reaches_.push_back(reach_of(circle, extent.node));
    for (const UnitWork& unit : work.units) {
      forward_.push_back(forward_seconds(unit, machine, fp32_));
      UnitWork repeated = unit;
      if (keeps_attention && unit.attention_bytes > 0) repeated.attention_flops = 0;
      again_.push_back(forward_seconds(repeated, machine, fp32_));
      backward_.push_back(backward_seconds(unit, machine, fp32_));
    }
  }

  OpCost of(const Op& op) {
    switch (op.kind) {
      case OpKind::forward:
        kept_of(op) = op.keep;
        return {0, forward_[target(op)]};
      case OpKind::backward: {
        const double again = kept_of(op) ? 0 : again_[target(op)];
        return {0, backward_[target(op)] + again * work_.recomputed_share * machine_.recompute_share};
      }
      case OpKind::gather:
      case OpKind::reduce:
        return op.communicator < 0 ? OpCost{} : collective(op);
      case OpKind::stash:
        return {0, elementwise_seconds(2.0 * static_cast<double>(op.bytes), machine_)};
      case OpKind::norm:
        return norm(op);
      case OpKind::update:
        return {0, update_seconds(op)};
      case OpKind::fetch:
        return read_cost(op);
      case OpKind::load:
        return parameters_cost(op, machine_.nvme_bytes_per_s);
      case OpKind::spill:
        return write_cost(op);
      case OpKind::store:
        return parameters_cost(op, machine_.nvme_write_bytes_per_s);
      case OpKind::park:
      case OpKind::recall:
        return moved_input(op);
      case OpKind::lower:
      case OpKind::lift:
        return moved_gradient(op);
      case OpKind::drop:
      case OpKind::snapshot:
        break;
    }
    return {};
  }

 private:
  static std::size_t target(const Op& op) { return static_cast<std::size_t>(op.target); }
  char& kept_of(const Op& op) {
    return kept_[static_cast<std::size_t>(op.micro_batch) * work_.units.size() + target(op)];
  }
  const Reach& reach(const Op& op) const { return reaches_[static_cast<std::size_t>(op.communicator)]; }
  const GroupFacts& group(int index) const { return schedule_.facts.groups[static_cast<std::size_t>(index)]; }

  /// Between a drive and the memory that computes: a device's lies behind its link, whether the drive writes
  /// there by itself or the host copies block by block while the next ones come.
  OpCost parameters_cost(const Op& op, double drive) const {
    const double rate = machine_.device_is_host ? drive : std::min(drive, machine_.host_link_bytes_per_s);
    return {0, static_cast<double>(op.bytes) / rate, Carrier::nvme};
  }
  OpCost read_cost(const Op& op) const {
    return {0, beside_writes_ * static_cast<double>(op.bytes) / machine_.nvme_bytes_per_s, Carrier::nvme};
  }
  OpCost write_cost(const Op& op) const {
    return {0, beside_writes_ * static_cast<double>(op.bytes) / machine_.nvme_write_bytes_per_s,
            Carrier::nvme};
  }

  OpCost collective(const Op& op) const {
    OpCost cost = collective_cost(machine_, reach(op), extent_.node, static_cast<double>(op.bytes),
                                  op.route == Route::replicas ? 2 : 1);
    add_wire_cost(cost, schedule_, op, reach(op), machine_);
    return cost;
  }

  OpCost norm(const Op& op) const {
    OpCost cost;
    if (op.communicator >= 0) cost = collective_cost(machine_, reach(op), extent_.node, 0, 2);
    cost.delay_s += machine_.step_s;
    // Gradients that are gone by then were summed by their updates, or on their way to the host.
    if (schedule_.options.update_when_reduced) return cost;
    for (const GroupFacts& facts : schedule_.facts.groups)
      if (facts.trainable && !schedule_.options.lowers(facts)) cost.delay_s += squares_seconds(facts);
    return cost;
  }
  double squares_seconds(const GroupFacts& facts) const {
    const double rate =
        machine_.norm_bytes_per_s > 0 ? machine_.norm_bytes_per_s : update_rate(placement_.optimizer.tier);
    return sizeof(float) * static_cast<double>(facts.elements) / facts.optimizer / rate;
  }

  static Carrier way_of(const Op& op) {
    return op.lane == OpLane::host_to_device ? Carrier::host_to_device : Carrier::device_to_host;
  }
  OpCost moved_input(const Op& op) const {
    const auto bytes = static_cast<double>(work_.units[target(op)].input_bytes);
    if (machine_.device_is_host) return {0, elementwise_seconds(2 * bytes, machine_)};
    return {0, bytes / machine_.host_link_bytes_per_s, way_of(op)};
  }

  OpCost moved_gradient(const Op& op) const {
    const auto bytes = static_cast<double>(op.bytes);
    const bool sums = op.kind == OpKind::lower && op.part == 1;
    return {sums ? elementwise_seconds(bytes, machine_) : 0, bytes / machine_.host_link_bytes_per_s,
            way_of(op)};
  }

  double update_rate(Tier tier) const {
    if (tier != Tier::device) return machine_.host_update_bytes_per_s / extent_.node;
    if (machine_.update_bytes_per_s > 0) return machine_.update_bytes_per_s;
    return machine_.memory_bytes_per_s * machine_.memory_share;
  }
  double update_seconds(const Op& op) const {
    const double elements = static_cast<double>(op.bytes) / sizeof(float);
    const GroupFacts& facts = group(op.target);
    double seconds = elements * update_bytes_per_element / update_rate(facts.state_tier);
    const bool lowered = schedule_.options.lowers(facts);
    if (schedule_.options.update_when_reduced && op.part == 0 && !lowered) seconds += squares_seconds(facts);
    // A gradient that is on the device comes from there, and the value as it is stored goes back.
    if (facts.state_tier != Tier::device && !machine_.device_is_host)
      seconds += elements * ((lowered ? 0 : sizeof(float)) + 2) / machine_.host_link_bytes_per_s;
    return seconds;
  }

  const Schedule& schedule_;
  const Placement& placement_;
  const ModelWork& work_;
  const Machine& machine_;
  const Extent& extent_;
  bool fp32_;
  /// What a read and a write take at once, of what they take in turns: an update's parts come and go
  /// together.
  double beside_writes_ = 1;
  std::vector<char> kept_;
  std::vector<Reach> reaches_;
  std::vector<double> forward_, again_, backward_;
};

}  // namespace

std::vector<OpCost> costs_of(const Schedule& schedule, const Placement& placement, const ModelWork& work,
                             const Machine& machine, const Extent& extent) {
  Costs costs(schedule, placement, work, machine, extent);
  std::vector<OpCost> all;
  all.reserve(schedule.ops.size());
  for (const Op& op : schedule.ops) all.push_back(costs.of(op));
  return all;
}

}  // namespace trireme::sharding
