#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sharding/presets.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {
namespace {

constexpr double fp32_bound = 1e-5;

void expect_equal(const ToyRun& run, const ToyRun& reference, const std::string& what) {
  ASSERT_EQ(run.losses.size(), reference.losses.size());
  for (std::size_t step = 0; step < run.losses.size(); ++step) {
    EXPECT_NEAR(run.losses[step] / reference.losses[step], 1.0, fp32_bound)
        << what << ", loss of step " << step;
    EXPECT_NEAR(run.norms[step] / reference.norms[step], 1.0, 1e-4) << what << ", norm of step " << step;
  }
  for (const auto& [name, values] : reference.parameters) {
    const auto found = std::find_if(run.parameters.begin(), run.parameters.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    ASSERT_NE(found, run.parameters.end()) << what << ", " << name;
    const double difference = (found->second - values.detach().flatten()).abs().max().item<double>();
    EXPECT_LT(difference, 2e-4) << what << ", " << name;
  }
}

struct Variant {
  const char* name;
  ToyShape shape;
  std::optional<double> max_norm;
};

std::vector<Variant> variants() {
  return {{"plain", {}, {}},
          {"tied, clipped", {.tied = true}, 0.5},
          {"frozen blocks", {.frozen_blocks = true, .side_loss = true}, {}}};
}

std::vector<std::string_view> presets_here() {
  return {"ddp",  "zero1", "zero2", "zero3",      "fsdp_full",   "fsdp_grad_op",
          "hsdp", "mics",  "hpz",   "qlora_fsdp", "zero_offload"};
}

class EveryPreset : public testing::TestWithParam<std::string_view> {};

TEST_P(EveryPreset, EqualsPlainAutogradOnAnyNumberOfRanks) {
  const std::vector<std::vector<int>> layouts{{0}, {0, 0}, {0, 0, 0}, {0, 0, 1, 1}, {0, 0, 0, 1, 1, 1}};
  for (std::size_t layout = 0; layout < layouts.size(); ++layout) {
    const Variant variant = variants()[layout % variants().size()];
    ToyJob job;
    job.shape = variant.shape;
    job.settings.max_norm = variant.max_norm;
    job.placement = preset(GetParam(), Codec::fp32);
    job.node_of_rank = layouts[layout];
    job.ranks = static_cast<int>(job.node_of_rank.size());
    job.micro_batches = job.ranks == 3 ? 2 : 1;
    job.placement.activations = job.ranks % 2 ? Activations::recomputed : Activations::kept;
    expect_equal(train_on_ranks(job), train_plainly(job.shape, job.settings),
                 fmt::format("{} of {} on {} ranks", job.placement.name, variant.name, job.ranks));
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, EveryPreset, testing::ValuesIn(presets_here()),
                         [](const auto& param) { return std::string(param.param); });

TEST(Exactness, AccumulationOrderAndDepthsChangeNothing) {
  ToyJob job;
  job.shape.tied = true;
  job.settings.max_norm = 1.0;
  const ToyRun reference = train_plainly(job.shape, job.settings);
  job.ranks = 2;
  for (const char* name : {"ddp", "zero2", "zero3", "hpz"}) {
    job.placement = preset(name, Codec::fp32);
    for (const int micro_batches : {1, 3})
      for (const bool unit_major : {false, true})
        for (const int depth : {0, 1, 9}) {
          job.micro_batches = micro_batches;
          job.options = {depth, depth, unit_major};
          job.placement.activations = unit_major ? Activations::recomputed : Activations::kept;
          expect_equal(train_on_ranks(job), reference,
                       fmt::format("{} with {} micro-batches, depth {}, unit major {}", name, micro_batches,
                                   depth, unit_major));
        }
  }
}

TEST(Exactness, SpansAreIndependentOfEachOther) {
  ToyJob job;
  const ToyRun reference = train_plainly(job.shape, job.settings);
  job.ranks = 4;
  for (const int parameters : {1, 2, 4})
    for (const int optimizer : {1, 2, 4})
      for (const int gradients : {1, 2, 4}) {
        if (gradients > optimizer) continue;
        job.placement = preset("zero3", Codec::fp32);
        job.placement.parameters.span = Span::of(parameters);
        job.placement.gradients.span = Span::of(gradients);
        job.placement.optimizer.span = Span::of(optimizer);
        expect_equal(train_on_ranks(job), reference,
                     fmt::format("spans {} {} {}", parameters, gradients, optimizer));
      }
}

TEST(Exactness, RanksThatTakeTurnsOverNodesAreStillRight) {
  ToyJob job;
  const ToyRun reference = train_plainly(job.shape, job.settings);
  job.ranks = 4;
  job.node_of_rank = {0, 1, 0, 1};
  for (const char* name : {"hsdp", "hpz", "zero3"}) {
    job.placement = preset(name, Codec::fp32);
    expect_equal(train_on_ranks(job), reference, name);
  }
}

TEST(Exactness, SmallGroupsMayStayWhole) {
  ToyJob job;
  const ToyRun reference = train_plainly(job.shape, job.settings);
  job.ranks = 3;
  job.placement = preset("zero3", Codec::fp32);
  job.placement.persist_below = 100;
  expect_equal(train_on_ranks(job), reference, "persistent small groups");
}

TEST(Exactness, Bf16FollowsFp32) {
  ToyJob job;
  const ToyRun reference = train_plainly(job.shape, job.settings);
  for (const char* name : {"ddp", "zero1", "zero3"}) {
    for (const int ranks : {1, 2, 3}) {
      job.placement = preset(name, Codec::bf16);
      job.ranks = ranks;
      const ToyRun run = train_on_ranks(job);
      for (std::size_t step = 0; step < run.losses.size(); ++step)
        EXPECT_NEAR(run.losses[step] / reference.losses[step], 1.0, 5e-3)
            << name << " on " << ranks << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace trireme::sharding::tests
