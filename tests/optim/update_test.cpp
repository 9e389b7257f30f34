#include <bit>
#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "offload/optimizer/halves.h"
#include "optim/adamw.h"
#include "optim/loss_scaler.h"
#include "optim/sgd.h"

namespace trireme::optim {
namespace {

/// A parameter with its states, updated by ours in two unequal runs and by ATen's own arithmetic.
struct Bench {
  explicit Bench(const sharding::Optimizer& rule, std::int64_t count = 1003)
      : optimizer(rule), kinds(rule.states()) {
    at::manual_seed(3);
    ours = at::randn({count});
    theirs = ours.clone();
    copy = at::zeros({count}, at::kBFloat16);
    for (std::size_t i = 0; i < kinds.size(); ++i) states.push_back(at::zeros({count}));
    parameter = {"weight", {17, 59}};
  }
  void update(const at::Tensor& gradient, double rate, double scale, std::int64_t step) {
    const std::int64_t cut = ours.numel() / 3;
    for (const auto& [begin, count] : {std::pair{std::int64_t{0}, cut}, std::pair{cut, ours.numel() - cut}}) {
      std::vector<std::byte*> pointers;
      for (const at::Tensor& state : states)
        pointers.push_back(reinterpret_cast<std::byte*>(state.data_ptr<float>() + begin));
      sharding::UpdateRun run;
      run.parameter = &parameter, run.begin = begin, run.count = count;
      run.master = ours.data_ptr<float>() + begin, run.gradient = gradient.data_ptr<float>() + begin;
      run.states = pointers;
      run.copy = copy.data_ptr<at::BFloat16>() + begin, run.copy_dtype = DType::bf16;
      optimizer.update(run, {rate, scale, step});
    }
  }
  const sharding::Optimizer& optimizer;
  std::vector<sharding::StateKind> kinds;
  sharding::Parameter parameter;
  at::Tensor ours, theirs, copy;
  std::vector<at::Tensor> states;
};

TEST(AdamW, IsLibTorchsFusedOne) {
  AdamWSettings settings;
  settings.beta2 = 0.95, settings.weight_decay = decay_all(0.1);
  const AdamW adamw(settings);
  Bench bench(adamw);
  at::Tensor mean = at::zeros_like(bench.theirs), square = at::zeros_like(bench.theirs);
  for (std::int64_t step = 1; step <= 30; ++step) {
    const at::Tensor gradient = at::randn_like(bench.ours);
    bench.update(gradient, 1e-2, 0.25, step);
    const at::Tensor scaled = gradient * 0.25;
    const at::Tensor count = at::full({}, static_cast<double>(step), at::kFloat);
    std::vector<at::Tensor> p{bench.theirs}, g{scaled}, m{mean}, v{square}, none, steps{count};
    at::_fused_adamw_(p, g, m, v, none, steps, 1e-2, 0.9, 0.95, 0.1, 1e-8, false, false);
    ASSERT_TRUE(at::allclose(bench.ours, bench.theirs, 1e-5, 1e-7)) << step;
  }
  EXPECT_TRUE(at::equal(bench.copy, bench.ours.to(at::kBFloat16)));
}

/// The engine cuts a group into runs at blocks; an 8-bit state cut there is the whole one's.
TEST(AdamW8, RunsCutAtBlocksGiveTheBitsOfOne) {
  const AdamW8 adamw8({});
  constexpr std::int64_t count = 1000, cut = 512;
  const sharding::Parameter parameter{"weight", {count}};
  at::manual_seed(5);
  const at::Tensor first = at::randn({count});
  const auto train = [&](const std::vector<std::pair<std::int64_t, std::int64_t>>& runs) {
    std::vector<std::vector<std::byte>> states;
    const auto kinds = adamw8.states();
    for (const auto& kind : kinds) states.emplace_back(count * size_of(kind.dtype));
    at::Tensor master = first.clone();
    at::manual_seed(6);
    for (std::int64_t step = 1; step <= 5; ++step) {
      const at::Tensor gradient = at::randn({count});
      for (const auto& [begin, end] : runs) {
        std::vector<std::byte*> pointers;
        for (std::size_t k = 0; k < kinds.size(); ++k)
          pointers.push_back(states[k].data() + static_cast<std::size_t>(begin / kinds[k].elements_each) *
                                                    size_of(kinds[k].dtype));
        sharding::UpdateRun run;
        run.parameter = &parameter, run.begin = begin, run.count = end - begin;
        run.master = master.data_ptr<float>() + begin, run.gradient = gradient.data_ptr<float>() + begin;
        run.states = pointers;
        adamw8.update(run, {1e-2, 1.0, step});
      }
    }
    return master;
  };
  EXPECT_EQ(adamw8.granule().elements, 256);
  EXPECT_TRUE(at::equal(train({{0, count}}), train({{0, cut}, {cut, count}})));
  EXPECT_FALSE(at::equal(train({{0, count}}), first));
}

TEST(Sgd, IsLibTorchsFusedOne) {
  for (const double momentum : {0.0, 0.9}) {
    for (const bool nesterov : {false, true}) {
      if (nesterov && momentum == 0.0) continue;
      const Sgd sgd({momentum, nesterov ? 0.0 : 0.2, nesterov, decay_all(0.03)});
      Bench bench(sgd);
      at::Tensor buffer = at::zeros_like(bench.theirs);
      for (std::int64_t step = 1; step <= 12; ++step) {
        const at::Tensor gradient = at::randn_like(bench.ours);
        bench.update(gradient, 1e-2, 0.5, step);
        at::Tensor scaled = gradient * 0.5;
        std::vector<at::Tensor> p{bench.theirs}, g{scaled}, b;
        if (momentum != 0.0) b = {buffer};
        at::_fused_sgd_(p, g, b, 0.03, momentum, 1e-2, nesterov ? 0.0 : 0.2, nesterov, false, step == 1);
        ASSERT_TRUE(at::allclose(bench.ours, bench.theirs, 1e-5, 1e-7)) << momentum << nesterov << step;
      }
      EXPECT_TRUE(at::equal(bench.copy, bench.ours.to(at::kBFloat16)));
    }
  }
}

/// The same values and gradients with whole masters and with split ones, at ties too.
void expect_equal_however_masters_lie(const sharding::Optimizer& rule) {
  constexpr std::int64_t count = 1003;
  const sharding::Parameter parameter{"weight", {count}};
  at::manual_seed(11);
  std::vector<float> whole(count), joined(count);
  const at::Tensor first = at::randn({count});
  std::copy_n(first.data_ptr<float>(), count, whole.begin());
  for (std::size_t i = 0; i < whole.size(); i += 2)
    whole[i] = std::bit_cast<float>((std::bit_cast<std::uint32_t>(whole[i]) & 0xffff0000u) | 0x8000u);
  offload::make_splittable(whole.data(), count);
  std::vector<BFloat16> copy(count), nearest(count);
  std::vector<std::uint16_t> lower(count);
  offload::split(whole.data(), nearest.data(), lower.data(), count);
  const auto kinds = rule.states();
  std::vector<std::vector<std::byte>> states_of_whole, states_of_split;
  for (const auto& kind : kinds) states_of_whole.emplace_back(count * size_of(kind.dtype));
  states_of_split = states_of_whole;
  for (std::int64_t step = 1; step <= 5; ++step) {
    const at::Tensor gradient = at::randn({count});
    for (const bool split : {false, true}) {
      std::vector<std::byte*> pointers;
      for (auto& state : split ? states_of_split : states_of_whole) pointers.push_back(state.data());
      sharding::UpdateRun run;
      run.parameter = &parameter, run.count = count, run.gradient = gradient.data_ptr<float>();
      run.states = pointers;
      run.master = split ? nullptr : whole.data(), run.lower = split ? lower.data() : nullptr;
      run.copy = split ? nearest.data() : copy.data(), run.copy_dtype = DType::bf16;
      rule.update(run, {step == 1 ? 0 : 1e-2, 0.5, step});
    }
    offload::join(nearest.data(), lower.data(), joined.data(), count);
    ASSERT_EQ(joined, whole) << rule.name() << step;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      ASSERT_EQ(copy[i].bits, nearest[i].bits) << rule.name();
      ASSERT_EQ(copy[i].bits, BFloat16(whole[i]).bits) << rule.name();
    }
    ASSERT_EQ(states_of_whole, states_of_split) << rule.name();
  }
}

TEST(SplitMasters, AreUpdatedToTheBitsOfWholeOnes) {
  AdamWSettings settings;
  settings.weight_decay = decay_all(0.1);
  expect_equal_however_masters_lie(AdamW(settings));
  expect_equal_however_masters_lie(AdamW8(settings));
  expect_equal_however_masters_lie(Sgd({}));
  for (const bool nesterov : {false, true})
    expect_equal_however_masters_lie(Sgd({0.9, 0.0, nesterov, decay_all(0.03)}));
}

TEST(AdamW, SparesVectorsFromDecayWhenTold) {
  AdamWSettings settings;
  settings.weight_decay = decay_matrices(0.5);
  EXPECT_EQ(settings.weight_decay({"norm.weight", {8}}), 0.0);
  EXPECT_EQ(settings.weight_decay({"q_proj.weight", {8, 8}}), 0.5);
}

TEST(LossScaler, HalvesAfterTheHysteresisAndDoublesAfterTheWindow) {
  LossScaler scaler({.initial_scale_power = 4, .loss_scale_window = 3, .hysteresis = 2});
  EXPECT_EQ(scaler.scale(), 16);
  EXPECT_TRUE(scaler.after_step(true));
  EXPECT_EQ(scaler.scale(), 16);
  EXPECT_TRUE(scaler.after_step(true));
  EXPECT_EQ(scaler.scale(), 8);
  for (int step = 0; step < 3; ++step) scaler.after_step(false);
  EXPECT_EQ(scaler.scale(), 8);
  scaler.after_step(false);
  EXPECT_EQ(scaler.scale(), 16);
}

TEST(LossScaler, SaysWhenItCannotShrinkFurther) {
  LossScaler scaler({.initial_scale_power = 1, .hysteresis = 1});
  EXPECT_TRUE(scaler.after_step(true));
  EXPECT_EQ(scaler.scale(), 1);
  EXPECT_FALSE(scaler.after_step(true));
  EXPECT_EQ(scaler.scale(), 1);
}

TEST(LossScaler, GoesOnFromItsState) {
  LossScaler one({.initial_scale_power = 8, .loss_scale_window = 2, .hysteresis = 1});
  one.after_step(true), one.after_step(false);
  LossScaler other({.initial_scale_power = 8, .loss_scale_window = 2, .hysteresis = 1});
  other.restore(one.state());
  for (int step = 0; step < 9; ++step) {
    one.after_step(step == 4), other.after_step(step == 4);
    EXPECT_EQ(one.scale(), other.scale());
  }
}

}  // namespace
}  // namespace trireme::optim
