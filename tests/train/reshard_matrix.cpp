// reshard_matrix GOLDEN LOG [COUNT]: saves under each placement, number of ranks and tier, and goes on from
// it under each other one; a line a pair in LOG, where a later call goes on ("-": none is kept). With COUNT
// only the first so many pairs of an order whose every beginning has all numbers of ranks, placements and
// tiers on both sides. Ends with 1 when a pair's losses are not those of the run that was not interrupted: to
// the bit where as many ranks sum in the same order, else within 1e-5. "To the bit" in LOG: equal to the
// saver's own.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include "model/build.h"
#include "model/nf4.h"
#include "optim/adamw.h"
#include "sharding/presets.h"
#include "tests/io/scratch.h"
#include "tests/sharding/toy_training.h"
#include "train/checkpoints.h"
#include "train/nf4_source.h"
#include "train/pretrained.h"
#include "train/row_batches.h"
#include "train/token_rows.h"
#include "train/trainer.h"

namespace trireme::train {
namespace {

namespace fs = std::filesystem;
using sharding::Codec;
using sharding::Engine;
using sharding::Tier;
using trireme::testing::Scratch;

constexpr int steps_before = 2, steps_in_all = 4;
constexpr double tolerance = 1e-5;

enum class Family : std::uint8_t { fp32_state, byte_state, qlora };

/// Two nodes where the ranks can be halved.
std::vector<int> nodes_of(int ranks) {
  std::vector<int> nodes(static_cast<std::size_t>(ranks), 0);
  if (ranks >= 4)
    for (int rank = ranks / 2; rank < ranks; ++rank) nodes[static_cast<std::size_t>(rank)] = 1;
  return nodes;
}

/// One side of a pair.
struct Side {
  Family family;
  std::string placement;
  int ranks;
  Tier tier;
  std::string name() const {
    return fmt::format("{}{}-{}-{}", family == Family::byte_state ? "8bit-" : "", placement, name_of(tier),
                       ranks);
  }
  /// hsdp over several nodes sums inside each first; all else goes through the ranks one after the other.
  bool sums_by_node() const { return placement == "hsdp" && nodes_of(ranks).back() > 0; }
};

/// Only sides of one family can go on from each other: they train other things.
std::vector<Side> sides_of(Family family) {
  const std::vector<std::string> placements =
      family == Family::qlora        ? std::vector<std::string>{"qlora", "qlora_fsdp"}
      : family == Family::byte_state ? std::vector<std::string>{"ddp", "zero3"}
                                     : std::vector<std::string>{"ddp", "zero1", "zero3", "hsdp"};
  std::vector<Side> sides;
  for (const std::string& placement : placements)
    for (const Tier tier : {Tier::device, Tier::host, Tier::nvme})
      for (const int ranks : {1, 2, 3, 4, 6}) sides.push_back({family, placement, ranks, tier});
  return sides;
}

sharding::Placement placement_of(const Side& side) {
  // Adapters and a 4-bit base, whole on each rank.
  sharding::Placement placement =
      sharding::preset(side.placement == "qlora" ? "ddp" : side.placement, Codec::fp32);
  if (side.placement == "qlora")
    placement.frozen =
        sharding::State{placement.parameters.span, Tier::device, Codec::nf4, sharding::Wire::raw};
  placement.optimizer.tier = side.tier;
  return placement;
}

class Matrix {
 public:
  explicit Matrix(fs::path golden) : reference_(std::move(golden) / "reference") {}

  /// Losses of the steps from `from` on, as rank 0 sees them; goes on from a checkpoint where `from` is not
  /// 0.
  std::vector<double> run(const Side& side, const fs::path& folder, int from, int until, int save_after) {
    std::vector<double> losses;
    Scratch drive;
    comm::run_ranks(
        side.ranks,
        [&](comm::World& world) {
          sharding::EngineOptions options;
          options.tiers.nvme_paths = {drive.path()};
          options.tiers.part_elements = 512;
          options.tiers.update_cores = {0};
          const auto mine = side.family == Family::qlora
                                ? run_reference(side, world, options, folder, from, until, save_after)
                                : run_toy(side, world, options, folder, from, until, save_after);
          if (world.rank() == 0) losses = mine;
        },
        nodes_of(side.ranks));
    return losses;
  }

 private:
  template <typename Step>
  static std::vector<double> drive(Engine& engine, const fs::path& folder, int from, int until,
                                   int save_after, Step step) {
    Checkpoints checkpoints(folder, engine, {});
    if (from > 0) {
      const auto state = checkpoints.load();
      require(state && state->step == from, "there is no checkpoint of step {}", from);
      step.resume(*state);
    }
    std::vector<double> losses;
    for (int number = from + 1; number <= until; ++number) {
      losses.push_back(step.take(number));
      if (number == save_after) checkpoints.save(step.state(number), {1.0, number, 0.5});
    }
    checkpoints.finish();
    if (checkpoints.last_failure()) throw Error(*checkpoints.last_failure());
    return losses;
  }

  static std::vector<double> run_toy(const Side& side, comm::World& world,
                                     const sharding::EngineOptions& options, const fs::path& folder, int from,
                                     int until, int save_after) {
    sharding::tests::ToyJob job;
    job.ranks = side.ranks;
    std::unique_ptr<const sharding::Optimizer> optimizer = sharding::tests::toy_optimizer(job.settings);
    if (side.family == Family::byte_state) {
      // Large enough for states in bytes, which small tensors do not get.
      job.shape.vocabulary = 200, job.shape.width = 48;
      optimizer = std::make_unique<optim::AdamW8>(optim::AdamWSettings{});
    }
    Engine engine(sharding::tests::toy_model(job.shape), placement_of(side), std::move(optimizer), world,
                  options);
    engine.load(sharding::tests::read_starting_values());
    struct Step {
      Engine& engine;
      const sharding::tests::ToyJob& job;
      int rank;
      void resume(const TrainerState&) {}
      double take(int number) { return engine.train(toy_step(job, rank, number)).loss; }
      TrainerState state(int number) {
        TrainerState state;
        state.step = state.updates = number, state.rows_per_step = job.settings.rows;
        return state;
      }
    };
    return drive(engine, folder, from, until, save_after, Step{engine, job, world.rank()});
  }

  std::vector<double> run_reference(const Side& side, comm::World& world,
                                    const sharding::EngineOptions& options, const fs::path& folder, int from,
                                    int until, int save_after) const {
    const train::Pretrained pretrained(reference_);
    model::LoraSettings lora;
    lora.rank = 4, lora.four_bit_base = true;
    Engine engine(model::build_model(pretrained.spec(), at::kFloat, lora), placement_of(side),
                  std::make_unique<optim::AdamW>(optim::AdamWSettings{}), world, options);
    train::Nf4Source in_four_bits(pretrained);
    engine.load([&](const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
      if (model::is_nf4(parameter.name)) return in_four_bits.read(parameter, begin, into);
      if (model::is_lora_a(parameter.name) || model::is_lora_b(parameter.name))
        return model::initial_lora(parameter, 7, begin, into);
      pretrained.read(parameter.name, static_cast<std::uint64_t>(begin), DType::f32,
                      std::as_writable_bytes(into));
    });
    RowOrder order;
    order.sequence_len = 64;
    const RowBatches rows(std::make_unique<TokenRows>(reference_ / "tokens.npy", order.sequence_len,
                                                      pretrained.spec().vocabulary),
                          order);
    BatchShape shape{world.rank(), world.size(), 12 / world.size(), 1, 12};
    TrainerSettings settings;
    settings.total_steps = steps_in_all, settings.rate.peak = 1e-3;
    Trainer trainer(engine, rows, shape, settings);
    struct Step {
      Trainer& trainer;
      void resume(const TrainerState& state) { trainer.restore(state); }
      double take(int) { return trainer.step().loss; }
      TrainerState state(int) { return trainer.state(); }
    };
    return drive(engine, folder, from, until, save_after, Step{trainer});
  }

  fs::path reference_;
};

std::set<std::string> done_before(const fs::path& log) {
  std::set<std::string> done;
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) done.insert(line.substr(0, line.find(':')));
  return done;
}

struct Pair {
  Side saver, loader;
  std::string name() const { return saver.name() + " to " + loader.name(); }
  /// Every sum has the same terms in the same order, so every bit must be the same.
  bool is_alike() const {
    return saver.ranks == loader.ranks && saver.sums_by_node() == loader.sums_by_node();
  }
};

std::vector<Pair> pairs_in_order() {
  std::vector<Pair> sorted;
  for (const Family family : {Family::fp32_state, Family::byte_state, Family::qlora}) {
    const std::vector<Side> sides = sides_of(family);
    for (const Side& saver : sides)
      for (const Side& loader : sides) sorted.push_back({saver, loader});
  }
  // Of all strides that meet each pair once, the one whose beginnings are the most even in ranks, placements
  // and tiers of savers, of loaders and of both.
  constexpr std::size_t stride = 2231;
  require(std::gcd(stride, sorted.size()) == 1, "{} pairs are not all met in strides of {}", sorted.size(),
          stride);
  std::vector<Pair> order;
  for (std::size_t i = 0; i < sorted.size(); ++i) order.push_back(sorted[i * stride % sorted.size()]);
  return order;
}

/// What a side saves half way, and its losses when nothing interrupts it.
struct Saved {
  Scratch scratch;
  std::vector<double> losses;
};

class Pairs {
 public:
  explicit Pairs(const fs::path& golden) : matrix_(golden) {}

  /// A line for the log; false where the losses are wrong.
  std::pair<std::string, bool> take(const Pair& pair) {
    const std::vector<double>& whole = uninterrupted(pair.saver.family);
    const Saved& saved = saved_by(pair.saver);
    const auto second = matrix_.run(pair.loader, saved.scratch.path(), steps_before, steps_in_all, 0);
    double worst = 0;
    for (std::size_t i = 0; i < second.size(); ++i)
      worst = std::max(worst, std::abs(second[i] / whole[steps_before + i] - 1));
    const bool to_the_bit = std::equal(second.begin(), second.end(), saved.losses.begin() + steps_before);
    const bool good = worst <= tolerance && (to_the_bit || !pair.is_alike());
    const char* how = !good ? "WRONG" : to_the_bit ? "to the bit" : "within";
    return {fmt::format("{}: {} {:.1e}\n", pair.name(), how, worst), good};
  }

 private:
  const std::vector<double>& uninterrupted(Family family) {
    std::vector<double>& losses = uninterrupted_[family];
    if (losses.empty()) losses = matrix_.run(sides_of(family)[0], {}, 0, steps_in_all, 0);
    return losses;
  }
  const Saved& saved_by(const Side& side) {
    std::unique_ptr<Saved>& saved = saved_[side.name()];
    if (!saved) {
      saved = std::make_unique<Saved>();
      saved->losses = matrix_.run(side, saved->scratch.path(), 0, steps_in_all, steps_before);
    }
    return *saved;
  }

  Matrix matrix_;
  std::map<Family, std::vector<double>> uninterrupted_;
  std::map<std::string, std::unique_ptr<Saved>> saved_;
};

int go(const fs::path& golden, const fs::path& log, std::size_t count) {
  const std::set<std::string> done = done_before(log);
  std::ofstream lines(log == "-" ? fs::path("/dev/stdout") : log, std::ios::app);
  std::vector<Pair> order = pairs_in_order();
  order.resize(std::min(count, order.size()), order.front());
  Pairs pairs(golden);
  int taken = 0, wrong = 0;
  for (const Pair& pair : order) {
    if (done.contains(pair.name())) continue;
    const auto [line, good] = pairs.take(pair);
    lines << line << std::flush;
    ++taken, wrong += good ? 0 : 1;
  }
  fmt::print("{} pairs taken, {} were in the log, {} wrong\n", taken, done.size(), wrong);
  return wrong == 0 && taken + static_cast<int>(done.size()) > 0 ? 0 : 1;
}

}  // namespace
}  // namespace trireme::train

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  try {
    return trireme::train::go(argv[1], argv[2],
                              argc > 3 ? std::strtoul(argv[3], nullptr, 10) : std::size_t(-1));
  } catch (const std::exception& error) {
    fmt::print("{}\n", error.what());
    return 1;
  }
}
