#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sharding/paging.h"
#include "sharding/predict/costs.h"
#include "sharding/predict/memory.h"
#include "sharding/unit.h"

namespace trireme::sharding {

/// What is planned: a model whose weights nobody needs, and what its units do for a micro-batch of `rows`.
struct Subject {
  const Model* model = nullptr;
  /// The same with its frozen groups as the bytes of a 4-bit codec; used where a placement says so.
  const Model* quantised = nullptr;
  std::function<ModelWork(std::int64_t rows)> work;
  std::vector<StateKind> states;
  Granule granule;
  /// Elements of a part of an update of state on NVMe.
  std::int64_t part_elements = std::int64_t{4} << 20;
  /// Requests that are on their way to and from drives at once.
  unsigned nvme_depth = 32;
  /// Checkpoints are saved while it trains, from a copy of the state.
  bool saves_while_training = false;
  /// The same with embedding and head in chunks, where a placement splits them.
  const Subject* when_split = nullptr;
};

/// Whether a placement gathers a model's embedding and head, or keeps their gradients whole for a while only.
bool splits_vocabulary(const Placement& placement, const Extent& extent, bool trainable);

/// One way to run it.
struct Setting {
  Placement placement;
  Extent extent;
  ScheduleOptions options;
  std::int64_t rows = 1;  ///< of a micro-batch
  /// `parts_in_memory` are the least: there are more where memory has room.
  bool more_parts = false;
};

struct Forecast {
  Setting setting;
  MemoryForecast memory;
  bool fits = false;
  /// Why it does not fit, in one sentence.
  std::string reason;
  /// What of the placement the engine refuses on this device; empty: nothing.
  std::string not_yet;
  /// Each trained group's state, where some of it stays on the device and some does not.
  std::vector<StatePlace> state_places;
  /// The op at which memory is largest: "backward of head in micro-batch 1".
  std::string peak_at;

  double step_s = 0, exposed_s = 0, tokens_per_s_per_gpu = 0, mfu = 0;
  std::array<double, lane_count> occupied_s{};
  /// What each lane has of the path that no gap interrupts from the step's begin to its end.
  std::array<double, lane_count> critical_s{};
  comm::Traffic traffic;
};

/// A schedule with its costs and the moments at which its ops run.
struct Preview {
  Schedule schedule;
  std::vector<OpCost> costs;
  Timeline timeline;
};

struct ForecastOptions {
  /// Foretell time also of what does not fit.
  bool always_time = false;
  /// Count what each rank sends; takes a while on many thousands of ranks.
  bool traffic = true;
};
Forecast forecast(const Subject& given, const Machine& machine, const Setting& setting,
                  const ForecastOptions& options = {});
/// The bytes that `whatever_fits` stands for: what all but optimizer state leaves of the device.
std::uint64_t room_for_state(const Subject& subject, const Machine& machine, Setting setting);
Preview preview(const Subject& given, const Machine& machine, const Setting& setting);

}  // namespace trireme::sharding
