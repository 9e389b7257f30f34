#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "sharding/predict/simulate.h"

namespace trireme::sharding {

/// Sending in steps between ranks: each step has a delay, and a rank moves so many bytes a second.
struct Link {
  double delay_s = 0;
  double bytes_per_s = 1;
};

/// What one device and its surroundings can do, and what share of it programs of a class reach. Rates are
/// per device but for `across`, which all devices of a node have together.
struct Machine {
  std::string device = "?", software = "?";
  double matrix_flops = 1, matrix_flops_fp32 = 1;
  double memory_bytes_per_s = 1, memory_bytes = 1;
  Link inside, across;
  double host_link_bytes_per_s = 1;
  double nvme_bytes_per_s = 1, nvme_write_bytes_per_s = 1;
  /// What both directions have together when as much is read as written at once; 0: as in turns.
  double nvme_both_bytes_per_s = 0;
  double host_memory_bytes = 0;  ///< of a node
  /// That the ranks of a node have together, where they compute on them; 0: nobody knows.
  double cores = 0;
  double host_update_bytes_per_s = 1;
  double price_per_hour = 0;

  /// Of the peak rate, for large square products.
  double matrix_share = 0.7;
  /// A width of a weight, or a number of rows, of this size halves a product's share.
  double small_dimension = 64, small_rows = 64;
  /// What backward takes, of what its products, attention and element-wise operations should.
  double backward_factor = 1;
  /// Bytes of values, gradients and moments that an update on the device passes over; 0: as memory-bound
  /// operations do.
  double update_bytes_per_s = 0;
  /// Of gradients that the norm is taken of; 0: as updates.
  double norm_bytes_per_s = 0;
  /// What making the loss takes, forward and backward, of what its products and element-wise operations
  /// should.
  double head_factor = 1;
  /// Numbers a second that wires encode and decode in 8 and in 4 bits; 0: as they pass over memory.
  double encode8_per_s = 0, decode8_per_s = 0, encode4_per_s = 0, decode4_per_s = 0;
  /// What a round of a two-hop reduction takes however little it moves; 0: as its messages.
  double two_hop_s = 0;
  /// What computing forward again for backward takes, of forward.
  double recompute_share = 1;
  double attention_share = 0.4;
  /// Of the memory's rate, for memory-bound operations; they may pass over memory more often than counted.
  double memory_share = 0.8;
  /// What an operation takes however little it computes: it is issued, and its threads come and go.
  double kernel_s = 5e-6;
  double step_s = 1e-3;
  double link_share = 0.8;
  double compute_beside_collective = 0.05, collective_beside_compute = 0;
  /// The latter of collectives with one rank a node, which take no steps inside nodes; 0: as all others.
  double lane_beside_compute = 0;
  /// What the libraries themselves keep on the device, at once and for each communicator.
  double reserved_bytes = 0, communicator_bytes = 0;

  /// Devices are the host's own cores and memory: nothing crosses a link to it, and lanes share the cores.
  bool device_is_host = false;

  Sharing sharing() const { return {compute_beside_collective, device_is_host}; }
};

/// Published figures of known devices ("h100", "a100-40g", …) with the shares that programs of a class
/// ("trireme", "eager", "compiled") reach. Throws a configuration error that lists the names.
Machine known_machine(std::string_view device, std::string_view software = "eager");
std::vector<std::string_view> known_devices();

/// Changes one figure, named as in `figures_of`. False: there is none of this name.
bool set_figure(Machine& machine, std::string_view name, double value);
struct Figure {
  std::string_view name;
  double value;
};
std::vector<Figure> figures_of(const Machine& machine);

}  // namespace trireme::sharding
