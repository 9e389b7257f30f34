#include <chrono>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "model/known_models.h"
#include "model/vocabulary.h"
#include "model/work.h"
#include "tests/model/planning.h"

namespace trireme::model {
namespace {

using namespace sharding;

constexpr double gibi = 1024.0 * 1024 * 1024;

std::uint64_t sent(const Forecast& forecast) {
  return forecast.traffic.inside_node + forecast.traffic.across_nodes;
}

TEST(KnownModels, HaveTheirPublishedNumbersOfParameters) {
  const std::vector<std::pair<const char*, double>> published{
      {"llama-2-7b", 6.74},   {"llama-3-8b", 8.03}, {"llama-3-70b", 70.55},  {"llama-3-405b", 405.9},
      {"llama-3-13b", 14.84}, {"yi-34b", 34.4},     {"qwen2.5-0.5b", 0.494}, {"qwen2.5-7b", 7.62},
      {"qwen2.5-32b", 32.8},  {"mpt-125m", 0.125},  {"mpt-1b", 1.316},       {"mpt-7b", 6.659},
      {"mpt-30b", 29.975},    {"mpt-70b", 64.862},  {"qwen3-8b", 8.2},       {"qwen3-32b", 32.8}};
  for (const auto& [name, billions] : published)
    EXPECT_NEAR(static_cast<double>(parameter_count(*known_model(name))) / 1e9 / billions, 1.0, 0.006)
        << name;
}

TEST(Forecast, ThePublishedFloatingPointOperationsOfALayer) {
  const ModelSpec spec = *known_model("mpt-7b");
  const ModelWork work = work_of(spec, {1, 2048, DType::bf16});
  double products = 0;
  for (const UnitWork& unit : work.units)
    for (const Product& product : unit.products) products += product.flops();
  // 2 operations a weight and token; the embedding's lookup has none, the tied head has.
  const double weights = 12.0 * 4096 * 4096 * 32 + 50368.0 * 4096;
  EXPECT_DOUBLE_EQ(products, 2 * weights * 2048);
  EXPECT_NEAR(work.model_flops_per_token, 6 * weights + 12.0 * 32 * 4096 * 2048, 1);
}

TEST(Forecast, SeventyBillionParametersFitTwoDevicesOf24GiBWithQLoRA) {
  const Planning planning("llama-3-70b", 512, LoraSettings{});
  Setting setting = setting_of("qlora_fsdp", {2, 2});
  setting.options.prefetch_depth = setting.options.reduce_depth = 0;
  const Machine machine = known_machine("rtx4090");
  const Forecast forecast = sharding::forecast(planning.subject, machine, setting);
  EXPECT_TRUE(forecast.fits) << forecast.reason;
  // 68.5 billion weights of blocks at 4.127 bits and 2.1 billion more in bf16, half of each a rank.
  EXPECT_NEAR(static_cast<double>(forecast.memory.of("frozen parameters")) / gibi,
              (68.45e9 * 4.127 / 8 + 2.1e9 * 2) / 2 / gibi, 0.1);

  setting.placement.frozen->codec = Codec::bf16;
  const Forecast whole = sharding::forecast(planning.subject, machine, setting);
  EXPECT_FALSE(whole.fits);
  EXPECT_THAT(whole.reason, testing::AllOf(testing::HasSubstr("24 GiB"), testing::HasSubstr("frozen")));
}

/// The whole vocabulary and its chunks.
std::pair<Forecast, Forecast> without_and_with_chunks(const Setting& setting,
                                                      const std::optional<LoraSettings>& lora,
                                                      const Machine& machine) {
  ModelSpec cut = *known_model("llama-3-70b", 512);
  const Planning whole(cut, 512, lora);
  cut.vocabulary_chunk = fitting_chunk_rows(cut, lora);
  const Planning chunked(cut, 512, lora);
  return {sharding::forecast(whole.subject, machine, setting, {.always_time = true}),
          sharding::forecast(chunked.subject, machine, setting, {.always_time = true})};
}

TEST(Forecast, ChunksOfTheVocabularyTakeTheSlotsOfBlocks) {
  const auto [whole, chunked] =
      without_and_with_chunks(setting_of("zero3", {64, 8}), {}, known_machine("h100-80g"));
  constexpr double block = 855.65e6, vocabulary = 128256.0 * 8192;
  const auto gib = [](const Forecast& of, const char* what) {
    return static_cast<double>(of.memory.of(what)) / gibi;
  };
  // Two of each size, in bf16 and, for gradients, in fp32; norms are less than a mebibyte.
  EXPECT_NEAR(gib(whole, "parameter slots"), 2 * 2 * (block + vocabulary) / gibi, 0.01);
  EXPECT_NEAR(gib(whole, "gradient slots"), 2 * 4 * block / gibi + 4 * vocabulary / gibi, 0.01);
  EXPECT_NEAR(gib(chunked, "parameter slots"), 2 * 2 * block / gibi, 0.01);
  EXPECT_NEAR(gib(chunked, "gradient slots"), 2 * 4 * block / gibi, 0.01);
  // The head's products are made once more.
  EXPECT_GT(chunked.step_s, whole.step_s);
  EXPECT_LT(chunked.step_s, whole.step_s * 1.02);
}

TEST(Forecast, ChunksOfTheVocabularyLeaveRoomBesideFourBitBlocks) {
  LoraSettings lora;
  lora.four_bit_base = true;
  const auto [whole, chunked] =
      without_and_with_chunks(setting_of("qlora_fsdp", {2, 2}), lora, known_machine("rtx4090"));
  EXPECT_LT(chunked.memory.of("parameter slots") * 4, whole.memory.of("parameter slots"));
  EXPECT_LT(device_bytes(chunked) + static_cast<std::uint64_t>(3 * gibi), device_bytes(whole));
}

TEST(Forecast, StateFallsWithTheNumberOfRanksAsThePlacementSays) {
  const Planning planning("llama-3-8b", 1024);
  const auto state = [&](const char* name, int ranks) {
    const Forecast forecast =
        sharding::forecast(planning.subject, known_machine("h100-80g"), setting_of(name, {ranks, ranks}));
    return static_cast<double>(forecast.memory.of("parameters") + forecast.memory.of("gradients") +
                               forecast.memory.of("master weights") + forecast.memory.of("optimizer state"));
  };
  EXPECT_NEAR(state("zero3", 8) / state("zero3", 1), 1.0 / 8, 1e-3);
  EXPECT_NEAR(state("ddp", 8) / state("ddp", 1), 1.0, 1e-3);
  // Parameters in bf16 stay whole; gradients in fp32, the lower halves of masters and moments are an eighth.
  EXPECT_NEAR(state("zero2", 8) / state("ddp", 8), (2.0 + (4 + 2 + 8) / 8.0) / (2 + 4 + 2 + 8), 1e-3);
}

TEST(Forecast, VolumesFollowTheFormulas) {
  const Planning planning("llama-3-70b", 1024);
  const auto parameters = static_cast<double>(parameter_count(planning.spec));
  const auto bytes = [&](const char* name, Extent extent, int micro_batches = 1, bool unit_major = false) {
    Setting setting = setting_of(name, extent, micro_batches);
    setting.placement.parameters.codec = setting.placement.gradients.codec = Codec::fp32;
    setting.options.unit_major = unit_major;
    return sharding::forecast(planning.subject, known_machine("h100-80g"), setting, {.always_time = true});
  };
  // Embedding, head and the last two blocks are still in their slots when backward comes to them.
  const auto block = static_cast<double>(parameter_count(*known_model("llama-3-70b"))) / 80 * 0.9702;
  const double stays = (2 * 128256.0 * 8192 + 2 * block) / parameters;
  for (const int ranks : {2, 4, 8}) {
    const double psi = parameters * 4 * (ranks - 1) / ranks;
    const Extent extent{ranks, ranks};
    EXPECT_NEAR(static_cast<double>(sent(bytes("ddp", extent))) / psi, 2, 0.001) << ranks;
    EXPECT_NEAR(static_cast<double>(sent(bytes("zero1", extent))) / psi, 2, 0.001) << ranks;
    EXPECT_NEAR(static_cast<double>(sent(bytes("zero2", extent))) / psi, 2, 0.001) << ranks;
    EXPECT_NEAR(static_cast<double>(sent(bytes("zero3", extent))) / psi, 3 - stays, 0.001) << ranks;
  }
  // hpZ gathers for backward inside the node: across nodes go one gather and one reduction.
  const double whole = static_cast<double>(bytes("zero3", {16, 8}).traffic.across_nodes);
  const double less = static_cast<double>(bytes("hpz", {16, 8}).traffic.across_nodes);
  EXPECT_NEAR(less / whole, 2 / (3 - stays), 0.001);

  // Four micro-batches reduce four times in one order and once in the other.
  const double reduction = parameters * 4 * 7 / 8;
  const double apart = static_cast<double>(sent(bytes("zero3", {8, 8}, 4, false))) - 4 * reduction;
  const double together = static_cast<double>(sent(bytes("zero3", {8, 8}, 4, true))) - reduction;
  EXPECT_LE(together / apart, 0.27);
}

TEST(Forecast, KeptAttentionCostsItsResultsAndSavesItsProducts) {
  const Planning planning("llama-3-8b", 4096);
  const auto with = [&](Activations activations) {
    Setting setting = setting_of("zero3", {8, 8});
    setting.placement.activations = setting.options.activations = activations;
    return sharding::forecast(planning.subject, known_machine("h100-80g"), setting, {.always_time = true});
  };
  const Forecast again = with(Activations::recomputed), all = with(Activations::kept),
                 kept = with(Activations::recomputed_except_attention);
  const std::uint64_t results = planning.subject.work(1).units[1].attention_bytes,
                      more = kept.memory.of("kept activations") - again.memory.of("kept activations");
  EXPECT_EQ(results, 4096u * 4096 * 2 + 4096 * 32 * 4);
  EXPECT_GE(more, 31 * results);
  EXPECT_LE(more, 32 * results);
  EXPECT_LT(kept.step_s, again.step_s);
  EXPECT_GT(kept.step_s, all.step_s);
}

TEST(Forecast, SavesBesideTrainingTakeACopyOfWhatTheyWrite) {
  Planning planning("llama-3-8b", 1024);
  const auto copy = [&](const char* name, int ranks) {
    return static_cast<double>(
        sharding::forecast(planning.subject, known_machine("h100-80g"), setting_of(name, {ranks, ranks}))
            .memory.of("copy to save"));
  };
  EXPECT_EQ(copy("zero3", 8), 0);
  planning.subject.saves_while_training = true;
  // Values and two moments in fp32, shared by all ranks, whether they hold slices or all the same.
  const double state = 12.0 * static_cast<double>(parameter_count(planning.spec));
  for (const char* name : {"ddp", "zero1", "zero3", "zero_offload"})
    for (const int ranks : {1, 8}) EXPECT_NEAR(copy(name, ranks) / (state / ranks), 1, 1e-3) << name;
  EXPECT_EQ(copy("zero_infinity", 8), 0);
}

/// A machine whose devices are its own cores, with so much memory for each rank.
Machine host_with(double bytes) {
  Machine machine = known_machine("cpu", "trireme");
  machine.memory_bytes = bytes;
  return machine;
}

TEST(Forecast, ParametersOnNvmeAreReadForEachPassAndWrittenByTheUpdate) {
  const Planning planning("llama-3-8b", 4);
  for (const int ranks : {1, 2}) {
    // Where both directions at once have 2 GB/s together, a byte each takes 1.2 times what it takes in turns.
    const double beside = ranks == 1 ? 1.2 : 1;
    Machine machine = host_with(400e9);
    machine.nvme_bytes_per_s = 3e9, machine.nvme_write_bytes_per_s = 2e9;
    if (ranks == 1) machine.nvme_both_bytes_per_s = 2e9;
    const Setting setting = setting_of("zero_infinity", {ranks, ranks});
    const Forecast foretold = sharding::forecast(planning.subject, machine, setting);
    ASSERT_TRUE(foretold.fits) << foretold.reason;
    double loaded = 0, fetched = 0, spilled = 0;
    for (const Op& op : preview(planning.subject, machine, setting).schedule.ops) {
      const auto bytes = static_cast<double>(op.bytes);
      if (op.kind == OpKind::load) loaded += bytes;
      if (op.kind == OpKind::fetch) fetched += bytes;
      if (op.kind == OpKind::spill) spilled += bytes;
    }
    const auto parameters = static_cast<double>(foretold.memory.of("parameters"));
    // What is still in its slot when backward begins is not read again.
    EXPECT_GT(loaded, 1.75 * parameters);
    EXPECT_LT(loaded, 2 * parameters);
    EXPECT_NEAR((spilled - fetched) / parameters, 1, 1e-3);
    EXPECT_NEAR(foretold.occupied_s[static_cast<std::size_t>(OpLane::nvme)],
                loaded / 3e9 + beside * (fetched / 3e9 + spilled / 2e9), 1e-6 * foretold.step_s);
    EXPECT_GE(foretold.step_s, foretold.occupied_s[static_cast<std::size_t>(OpLane::nvme)]);
  }
}

TEST(Forecast, WhatMemoryIsLeftHoldsStateThatIsReadBeforeTheNorm) {
  const Planning planning("llama-3-8b", 4096);
  Setting setting = setting_of("zero2", {1, 1}, 4);
  setting.placement.optimizer.tier = Tier::nvme;
  const auto needs = [](const Forecast& forecast) {
    const TierBytes totals = forecast.memory.totals();
    return totals[static_cast<std::size_t>(Tier::device)] + totals[static_cast<std::size_t>(Tier::host)];
  };
  const auto with = [&](double bytes, bool more_parts) {
    setting.more_parts = more_parts;
    return sharding::forecast(planning.subject, host_with(bytes), setting);
  };
  const Forecast least = with(400e9, false), all = with(400e9, true);
  const double state = 12 * static_cast<double>(least.memory.of("parameters")) / 2;
  EXPECT_GE(static_cast<double>(all.memory.of("update buffers")), state);
  EXPECT_LT(static_cast<double>(all.memory.of("update buffers")), 1.5 * state);
  EXPECT_LT(all.step_s, least.step_s);

  const auto scarce = static_cast<double>(needs(least)) + 16 * gibi;
  const Forecast some = with(scarce, true);
  ASSERT_TRUE(some.fits) << some.reason;
  const auto grown = static_cast<double>(needs(some) - needs(least));
  EXPECT_GT(grown, 7.5 * gibi);
  EXPECT_LE(grown, 8 * gibi);
  EXPECT_TRUE(with(1.001 * static_cast<double>(needs(least)) + 1, true).fits);

  setting.options.update_when_reduced = true;
  EXPECT_EQ(with(400e9, true).memory.of("update buffers"), least.memory.of("update buffers"));
}

TEST(Forecast, ADeviceThatIsTheHostHoldsBothTiers) {
  const Planning planning("llama-3-8b", 64);
  const Forecast roomy =
      sharding::forecast(planning.subject, host_with(400e9), setting_of("zero_offload", {1, 1}));
  ASSERT_TRUE(roomy.fits);
  const auto device = static_cast<double>(device_bytes(roomy)),
             host = static_cast<double>(roomy.memory.totals()[static_cast<std::size_t>(Tier::host)]);
  EXPECT_GT(host, device / 2);
  const auto fits = [&](double bytes) {
    return sharding::forecast(planning.subject, host_with(bytes), setting_of("zero_offload", {1, 1})).fits;
  };
  EXPECT_FALSE(fits(0.99 * (device + host)));
  EXPECT_TRUE(fits(1.01 * (device + host)));
}

TEST(Forecast, TheCriticalPathIsTheStepAndThePeakHasAName) {
  const Planning planning("llama-3-8b", 2048);
  const Forecast forecast =
      sharding::forecast(planning.subject, known_machine("h100-80g"), setting_of("zero3", {16, 8}, 9));
  double path = 0;
  for (const double seconds : forecast.critical_s) path += seconds;
  EXPECT_NEAR(path, forecast.step_s, 1e-6 * forecast.step_s);
  EXPECT_THAT(forecast.peak_at, testing::MatchesRegex("(forward|backward) of .* in micro-batch [0-9]"));
}

TEST(Forecast, SixteenThousandRanksInSeconds) {
  const auto begin = std::chrono::steady_clock::now();
  const Planning planning("llama-3-70b", 4096);
  const Forecast forecast =
      sharding::forecast(planning.subject, known_machine("h100-80g"), setting_of("zero3", {16384, 8}, 2));
  EXPECT_TRUE(forecast.fits) << forecast.reason;
  EXPECT_GT(forecast.tokens_per_s_per_gpu, 0);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took.count(), 5) << "seconds on a loaded machine";
}

TEST(Costs, WiresTakeWhatTheirCodecsWereMeasuredToTake) {
  const Planning planning("llama-3-8b", 16);
  const auto step = [&](Machine machine) {
    Setting setting = setting_of("zeropp", {4, 2});
    return sharding::forecast(planning.subject, machine, setting, {.always_time = true}).step_s;
  };
  Machine machine = known_machine("cpu", "trireme");
  machine.encode8_per_s = machine.decode8_per_s = machine.encode4_per_s = machine.decode4_per_s = 1e12;
  const double fast = step(machine);
  machine.encode4_per_s = machine.decode4_per_s = 0.25e9;
  const double slow = step(machine);
  // All of a gradient is encoded, a node's sums are encoded again, and both are decoded; some of it hides.
  const auto numbers = static_cast<double>(parameter_count(planning.spec));
  EXPECT_GT(slow - fast, 0.5 * numbers * 3 / 0.25e9);
  EXPECT_LT(slow - fast, 1.1 * numbers * 3 / 0.25e9);
  machine.two_hop_s = 1;
  // Each group's rounds: two lanes of 2^18 numbers.
  EXPECT_GT(step(machine) - slow, 0.9 * numbers / (2 * 262144.0));
}

TEST(Machine, FiguresCanBeChangedByTheirNames) {
  Machine machine = known_machine("h100-80g", "compiled");
  for (const Figure& figure : figures_of(machine)) {
    ASSERT_TRUE(set_figure(machine, figure.name, figure.value * 2)) << figure.name;
    const auto changed = figures_of(machine);
    const auto found = std::find_if(changed.begin(), changed.end(),
                                    [&](const Figure& each) { return each.name == figure.name; });
    EXPECT_NEAR(found->value, figure.value * 2, 1e-9 * figure.value);
  }
  EXPECT_FALSE(set_figure(machine, "horsepower", 1));
  EXPECT_THROW(known_machine("h1000"), Error);
  EXPECT_THROW(known_machine("h100-80g", "interpreted"), Error);
}

}  // namespace
}  // namespace trireme::model
