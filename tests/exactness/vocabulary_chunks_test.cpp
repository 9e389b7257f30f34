#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "comm/threads/thread_world.h"
#include "model/build.h"
#include "optim/adamw.h"
#include "sharding/engine.h"
#include "sharding/predict/memory.h"
#include "sharding/presets.h"
#include "tests/exactness/run.h"
#include "tests/io/scratch.h"
#include "train/checkpoints.h"
#include "train/pretrained.h"
#include "train/row_batches.h"
#include "train/token_rows.h"

namespace trireme::exactness {
namespace {

const char* const folder = TRIREME_GOLDEN "/reference";

TEST(VocabularyChunks, FollowOneRankThatHasTheVocabularyWhole) {
  References references(folder);
  using sharding::Activations, sharding::Codec;
  const std::vector<Case> cases{
      {"zero3", 1, Codec::fp32, 1, Activations::kept, Tuning::full, 96},
      {"zero3", 2, Codec::fp32, 1, Activations::kept, Tuning::full, 96},
      {"zero3", 4, Codec::fp32, 3, Activations::recomputed, Tuning::full, 100},
      {"zero3", 3, Codec::fp32, 1, Activations::recomputed_except_attention, Tuning::full, 200},
      {"zero3", 2, Codec::bf16, 3, Activations::recomputed, Tuning::full, 96},
      {"zero2", 2, Codec::fp32, 1, Activations::kept, Tuning::full, 96},
      {"hpz", 4, Codec::fp32, 1, Activations::kept, Tuning::full, 96},
      {"zero3", 4, Codec::fp32, 1, Activations::recomputed, Tuning::lora, 96},
      {"qlora_fsdp", 2, Codec::bf16, 1, Activations::kept, Tuning::qlora, 96}};
  for (const Case& one : cases) {
    const Difference found = references.from(one, train(one, folder));
    EXPECT_LE(found.loss, allowed(one).loss) << name_of(one);
    // In bf16 a chunk's logits and gradients are rounded at other places than the whole's on one rank.
    const double rounds = one.compute == Codec::bf16 ? 2 : 1;
    EXPECT_LE(found.parameters, rounds * allowed(one).parameters) << name_of(one);
  }
}

/// A model of which most is vocabulary.
sharding::Model with_vocabulary(std::int64_t chunk) {
  model::ModelSpec spec = train::Pretrained(folder).spec();
  spec.vocabulary = 4096, spec.vocabulary_chunk = chunk;
  return model::build_model(spec, at::kBFloat16);
}

TEST(VocabularyChunks, LeaveSlotsSmallAndAsPlanned) {
  for (const char* preset : {"zero3", "zero2", "hpz"}) {
    std::map<std::int64_t, sharding::MemoryUse> used;
    for (const std::int64_t chunk : {std::int64_t{0}, std::int64_t{512}})
      comm::run_ranks(4, [&](comm::World& world) {
        const sharding::Placement placement = sharding::preset(preset, sharding::Codec::bf16);
        sharding::Engine engine(with_vocabulary(chunk), placement,
                                std::make_unique<optim::AdamW>(optim::AdamWSettings{}), world);
        const sharding::Schedule& step = engine.schedule(sharding::ScheduleOptions::Purpose::train, 1);
        const sharding::MemoryForecast plan = forecast_memory(
            engine.blueprint(), placement, step, optim::AdamW(optim::AdamWSettings{}).states(), {});
        EXPECT_EQ(plan.of("parameter slots"), engine.memory().parameter_slots) << preset << " " << chunk;
        EXPECT_EQ(plan.of("gradient slots"), engine.memory().gradient_slots) << preset << " " << chunk;
        if (world.rank() == 0) used[chunk] = engine.memory();
      });
    EXPECT_LT(used[512].gradient_slots * 3, used[0].gradient_slots) << preset;
    EXPECT_LE(used[512].parameter_slots * 3, used[0].parameter_slots) << preset;
  }
}

/// Losses of the steps after `from`, from a checkpoint where `from` is not 0; the last step is saved.
std::vector<double> losses_of(int ranks, std::int64_t chunk, const std::filesystem::path& saves, int from,
                              int until, bool tied = false) {
  std::vector<double> losses;
  comm::run_ranks(ranks, [&](comm::World& world) {
    const train::Pretrained pretrained(folder);
    model::ModelSpec spec = pretrained.spec();
    spec.vocabulary_chunk = chunk, spec.tied = tied;
    sharding::Engine engine(model::build_model(spec), sharding::preset("zero3", sharding::Codec::fp32),
                            std::make_unique<optim::AdamW8>(optim::AdamWSettings{}), world);
    engine.load([&](const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
      pretrained.read(parameter.name, static_cast<std::uint64_t>(begin), DType::f32,
                      std::as_writable_bytes(into));
    });
    train::RowOrder order;
    order.sequence_len = 64;
    const train::RowBatches rows(
        std::make_unique<train::TokenRows>(std::filesystem::path(folder) / "tokens.npy", order.sequence_len,
                                           spec.vocabulary),
        order);
    train::TrainerSettings settings;
    settings.total_steps = 4, settings.rate.peak = 1e-3;
    train::Trainer trainer(engine, rows, {world.rank(), world.size(), 4 / world.size(), 1, 4}, settings);
    train::Checkpoints checkpoints(saves, engine, {});
    if (from > 0) trainer.restore(checkpoints.load().value());
    for (int step = from; step < until; ++step) {
      const double loss = trainer.step().loss;
      if (world.rank() == 0) losses.push_back(loss);
    }
    checkpoints.save(trainer.state(), {});
    checkpoints.finish();
    EXPECT_FALSE(checkpoints.last_failure());
  });
  return losses;
}

TEST(VocabularyChunks, MayBeTied) {
  const trireme::testing::Scratch aside;
  const std::vector<double> whole = losses_of(1, 0, aside.path(), 0, 4, true);
  EXPECT_NE(whole, losses_of(1, 0, aside.path(), 0, 4, false));
  for (const int ranks : {1, 2, 4}) {
    const std::vector<double> parts = losses_of(ranks, 64, aside.path(), 0, 4, true);
    ASSERT_EQ(parts.size(), whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(parts[i] / whole[i], 1, 1e-5) << ranks;
  }
}

TEST(VocabularyChunks, GoOnFromCheckpointsOfTheWholeAndTheOtherWayRound) {
  const trireme::testing::Scratch aside;
  const std::vector<double> whole = losses_of(2, 0, aside.path(), 0, 4);
  for (const auto& [saver, loader] : {std::pair<std::int64_t, std::int64_t>{0, 64}, {64, 0}, {64, 128}})
    for (const int ranks : {1, 4}) {
      const trireme::testing::Scratch saves;
      losses_of(2, saver, saves.path(), 0, 2);
      const std::vector<double> rest = losses_of(ranks, loader, saves.path(), 2, 4);
      ASSERT_EQ(rest.size(), 2u);
      for (std::size_t i = 0; i < 2; ++i)
        EXPECT_NEAR(rest[i] / whole[2 + i], 1, 1e-5) << saver << " " << loader << " on " << ranks;
    }
}

}  // namespace
}  // namespace trireme::exactness
