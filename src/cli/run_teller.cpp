#include "cli/run_teller.h"

#include <fmt/format.h>

#include "cli/evaluations.h"
#include "cli/plan.h"
#include "core/bytes.h"
#include "core/log.h"
#include "jobs/placement_keys.h"
#include "sharding/paging.h"

namespace trireme::cli {
namespace {

void introduce(const jobs::JobSpec& job, const comm::World& world, LoadedModel& model,
               const train::BatchShape& shape, std::int64_t total_steps) {
  sharding::Engine& engine = model.engine();
  for (const std::string& note : job.notes) log::info("{}", note);
  if (shape.micro_batches != job.gradient_accumulation_steps)
    log::info("train_batch_size: {} rows make {} micro-batches of each of {} ranks", shape.rows_per_step,
              shape.micro_batches, shape.ranks);
  for (const std::string& note : model.spec().notes) log::info("{}", note);
  const sharding::MemoryUse memory = engine.memory();
  log::info("{} ranks, placement {}, {}: {} of state and {} of slots on each rank; {} steps of {} rows",
            world.size(), job.placement.preset, name_of(model.compute()),
            human_bytes(static_cast<double>(memory.states + memory.host_gradients)),
            human_bytes(static_cast<double>(memory.parameter_slots + memory.gradient_slots)), total_steps,
            shape.rows_per_step);
  if (jobs::placement_of(job, model.compute()).device_state_bytes) {
    std::uint64_t device = 0, host = 0;
    for (const auto& place : state_places(engine.blueprint(), states_of(job)))
      (place.tier == sharding::Tier::device ? device : host) += place.bytes;
    log::info("optimizer state: {} stay on the device, {} are on the host",
              human_bytes(static_cast<double>(device)), human_bytes(static_cast<double>(host)));
  }
  if (memory.tiers.host > 0 || memory.tiers.nvme > 0)
    log::info("beyond the device, on each rank: {} of host memory ({}), {} on NVMe{}",
              human_bytes(static_cast<double>(memory.tiers.host)),
              memory.tiers.locked ? "locked" : "pageable",
              human_bytes(static_cast<double>(memory.tiers.nvme)),
              engine.pipe() ? fmt::format(" by {}", engine.pipe()->engine().backend()) : "");
}

void say_host_memory(const sharding::Engine& engine) {
  const sharding::TierUse use = engine.memory().tiers;
  const auto words = [](std::size_t bytes) { return human_bytes(static_cast<double>(bytes)); };
  if (use.pool.reserved.most == 0) return;
  log::info("host pool: {} asked for at most ({} for units' inputs), {} given, {} taken; {:.1f} % unused",
            words(use.pool.asked.most), words(use.inputs), words(use.pool.given.most),
            words(use.pool.reserved.most), 100 * use.pool.fragmentation());
}

}  // namespace

RunTeller::RunTeller(const jobs::JobSpec& job, const comm::World& world, LoadedModel& model,
                     const train::Checkpoints& checkpoints, const train::BatchShape& shape, std::int64_t done,
                     std::int64_t steps)
    : model_(model),
      checkpoints_(checkpoints),
      steps_(steps),
      folder_(job, world, done, steps),
      progress_(steps, job.logging_steps) {
  introduce(job, world, model, shape, steps);
  if (done > 0) log::info("goes on after step {}, from the checkpoint of it", done);
}

void RunTeller::after(train::StepMetrics& metrics, const std::string& best_by) {
  saved();
  folder_.after(metrics);
  if (!metrics.trouble.empty()) {
    progress_.close();
    log::warning("{}; nothing was updated", metrics.trouble);
  }
  for (const train::Evaluation& evaluation : metrics.evaluations)
    progress_.say(fmt::format("step {}/{}  {}", metrics.step, steps_, words_of(evaluation)));
  if (!best_by.empty()) progress_.say(fmt::format("the best so far by {}", best_by));
  progress_.after(metrics);
}

void RunTeller::ended(RunEnd end, std::int64_t step, std::int64_t evaluations_without_improvement) {
  progress_.close();
  say_host_memory(model_.engine());
  if (end == RunEnd::early)
    log::info("ended early after step {}: {} evaluations in a row were no better", step,
              evaluations_without_improvement);
  folder_.end(end == RunEnd::asked ? "stopped" : "done",
              end == RunEnd::asked   ? "a signal asked for it; start the job again to go on"
              : end == RunEnd::early ? "ended early: the evaluations got no better"
                                     : "");
}

}  // namespace trireme::cli
