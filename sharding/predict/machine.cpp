#include "sharding/predict/machine.h"

#include <algorithm>
#include <array>

#include <fmt/ranges.h>

#include "core/error.h"

namespace trireme::sharding {
namespace {

constexpr double giga = 1e9, tera = 1e12, micro = 1e-6;

struct Field {
  std::string_view name;
  double& (*place)(Machine&);
  double unit;
};

const std::array fields{
    Field{"matrix_tflops", [](Machine& m) -> double& { return m.matrix_flops; }, tera},
    Field{"matrix_tflops_fp32", [](Machine& m) -> double& { return m.matrix_flops_fp32; }, tera},
    Field{"memory_gb_s", [](Machine& m) -> double& { return m.memory_bytes_per_s; }, giga},
    Field{"memory_gb", [](Machine& m) -> double& { return m.memory_bytes; }, giga},
    Field{"reserved_gb", [](Machine& m) -> double& { return m.reserved_bytes; }, giga},
    Field{"communicator_gb", [](Machine& m) -> double& { return m.communicator_bytes; }, giga},
    Field{"inside_gb_s", [](Machine& m) -> double& { return m.inside.bytes_per_s; }, giga},
    Field{"inside_us", [](Machine& m) -> double& { return m.inside.delay_s; }, micro},
    Field{"across_gb_s", [](Machine& m) -> double& { return m.across.bytes_per_s; }, giga},
    Field{"across_us", [](Machine& m) -> double& { return m.across.delay_s; }, micro},
    Field{"host_link_gb_s", [](Machine& m) -> double& { return m.host_link_bytes_per_s; }, giga},
    Field{"nvme_gb_s", [](Machine& m) -> double& { return m.nvme_bytes_per_s; }, giga},
    Field{"nvme_write_gb_s", [](Machine& m) -> double& { return m.nvme_write_bytes_per_s; }, giga},
    Field{"nvme_both_gb_s", [](Machine& m) -> double& { return m.nvme_both_bytes_per_s; }, giga},
    Field{"host_memory_gb", [](Machine& m) -> double& { return m.host_memory_bytes; }, giga},
    Field{"cores", [](Machine& m) -> double& { return m.cores; }, 1},
    Field{"host_update_gb_s", [](Machine& m) -> double& { return m.host_update_bytes_per_s; }, giga},
    Field{"price_per_hour", [](Machine& m) -> double& { return m.price_per_hour; }, 1},
    Field{"matrix_share", [](Machine& m) -> double& { return m.matrix_share; }, 1},
    Field{"small_dimension", [](Machine& m) -> double& { return m.small_dimension; }, 1},
    Field{"small_rows", [](Machine& m) -> double& { return m.small_rows; }, 1},
    Field{"backward_factor", [](Machine& m) -> double& { return m.backward_factor; }, 1},
    Field{"update_gb_s", [](Machine& m) -> double& { return m.update_bytes_per_s; }, giga},
    Field{"norm_gb_s", [](Machine& m) -> double& { return m.norm_bytes_per_s; }, giga},
    Field{"head_factor", [](Machine& m) -> double& { return m.head_factor; }, 1},
    Field{"encode8_g_s", [](Machine& m) -> double& { return m.encode8_per_s; }, giga},
    Field{"decode8_g_s", [](Machine& m) -> double& { return m.decode8_per_s; }, giga},
    Field{"encode4_g_s", [](Machine& m) -> double& { return m.encode4_per_s; }, giga},
    Field{"decode4_g_s", [](Machine& m) -> double& { return m.decode4_per_s; }, giga},
    Field{"two_hop_us", [](Machine& m) -> double& { return m.two_hop_s; }, micro},
    Field{"recompute_share", [](Machine& m) -> double& { return m.recompute_share; }, 1},
    Field{"attention_share", [](Machine& m) -> double& { return m.attention_share; }, 1},
    Field{"memory_share", [](Machine& m) -> double& { return m.memory_share; }, 1},
    Field{"kernel_us", [](Machine& m) -> double& { return m.kernel_s; }, micro},
    Field{"step_us", [](Machine& m) -> double& { return m.step_s; }, micro},
    Field{"link_share", [](Machine& m) -> double& { return m.link_share; }, 1},
    Field{"compute_beside_collective", [](Machine& m) -> double& { return m.compute_beside_collective; }, 1},
    Field{"collective_beside_compute", [](Machine& m) -> double& { return m.collective_beside_compute; }, 1},
    Field{"lane_beside_compute", [](Machine& m) -> double& { return m.lane_beside_compute; }, 1},
};

}  // namespace

bool set_figure(Machine& machine, std::string_view name, double value) {
  const auto field =
      std::find_if(fields.begin(), fields.end(), [&](const Field& each) { return each.name == name; });
  if (field == fields.end()) return false;
  field->place(machine) = value * field->unit;
  return true;
}

std::vector<Figure> figures_of(const Machine& machine) {
  Machine copy = machine;
  std::vector<Figure> figures;
  for (const Field& field : fields) figures.push_back({field.name, field.place(copy) / field.unit});
  return figures;
}

}  // namespace trireme::sharding
