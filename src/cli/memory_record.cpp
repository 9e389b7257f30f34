#include "cli/memory_record.h"

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <optional>

#include "cli/engine_options.h"
#include "cli/lora.h"
#include "cli/plan.h"
#include "cli/step_report.h"
#include "core/device.h"
#include "core/log.h"
#include "model/work.h"

namespace trireme::cli {
namespace {

namespace json = boost::json;

sharding::MemoryForecast foretold(const jobs::JobSpec& job, LoadedModel& model, const comm::World& world) {
  sharding::Engine& engine = model.engine();
  sharding::Setting setting = setting_here(job, world, model.compute());
  setting.options.parts_in_memory = engine.parts_in_memory();
  // Not the engine's own, which all ranks ask for together.
  const sharding::Schedule schedule = build_schedule(engine.blueprint().facts, setting.options);
  const auto work =
      model::work_of(model.spec(), work_shape(job, model.spec(), model.compute()), lora_of(job));
  return forecast_memory(engine.blueprint(), setting.placement, schedule, states_of(job), work);
}

/// Of a GPU, whoever asked for it: the engine, tensors, or libraries for themselves.
std::optional<std::size_t> device_bytes_in_use() {
  const Device* device = compute_device();
  if (!device || device->is_host()) return std::nullopt;
  const DeviceMemory memory = device->memory();
  return memory.total_bytes - memory.free_bytes;
}

}  // namespace

void write_memory_record(const jobs::JobSpec& job, LoadedModel& model, const comm::World& world) {
  json::array lines;
  try {
    const sharding::MemoryForecast forecast = foretold(job, model, world);
    for (const auto* part : {&forecast.standing, &forecast.passing})
      for (const sharding::MemoryLine& line : *part)
        if (line.bytes > 0)
          lines.push_back({{"what", line.what}, {"tier", name_of(line.tier)}, {"bytes", line.bytes}});
  } catch (const std::exception& error) {
    log::warning("memory is not foretold: {}", error.what());
  }
  const sharding::MemoryUse use = model.engine().memory();
  const std::size_t buffers = use.states + use.parameter_slots + use.gradient_slots + use.wires;
  const json::object record{{"foretold", std::move(lines)},
                            {"measured",
                             {{"device", device_bytes_in_use().value_or(buffers)},
                              {"device_buffers", buffers},
                              {"host", use.tiers.host + use.host_gradients},
                              {"nvme", use.tiers.nvme}}},
                            {"rings",
                             {{"parameter_slots", use.parameter_slots},
                              {"gradient_slots", use.gradient_slots},
                              {"wire_buffers", use.wires},
                              {"parked_inputs", use.tiers.inputs}}},
                            {"pool",
                             {{"asked", use.tiers.pool.asked.most},
                              {"given", use.tiers.pool.given.most},
                              {"reserved", use.tiers.pool.reserved.most},
                              {"fragmentation", use.tiers.pool.fragmentation()}}}};
  std::ofstream(std::filesystem::path(job.output_dir) / "memory.json") << json::serialize(record) << '\n';
}

}  // namespace trireme::cli
