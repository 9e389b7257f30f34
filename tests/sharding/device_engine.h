#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/error.h"
#include "sharding/presets.h"
#include "tests/sharding/device_site.h"
#include "tests/sharding/toy_training.h"

namespace trireme::sharding::tests {

using State = std::map<std::string, std::vector<float>>;

struct Trained {
  std::vector<double> losses, norms;
  double evaluated = 0;
  int overflows = 0;
  /// What this rank holds.
  State state;
};

struct Watch {
  std::function<void(int step, StepInput&)> before_step{};
  std::function<void(Engine&)> afterwards{};
};

/// The engine on ranks that are processes, each with a device.
class DeviceEngine : public testing::Test {
 protected:
  void SetUp() override {
    try {
      site_ = open_device_site();
    } catch (const Error& missing) {
      GTEST_SKIP() << missing.what();
    }
  }
  void TearDown() override {
    site_.reset();
    EXPECT_EQ(misuses(), "");
  }
  int rank() { return site_->hosts().rank(); }

  Trained train(ToyJob job, bool on_device, std::unique_ptr<const Optimizer> optimizer = nullptr,
                const Watch& watch = {}) {
    job.ranks = site_->hosts().size();
    std::optional<ComputingOn> computing;
    if (on_device) {
      computing.emplace(site_->device());
      job.options.tiers.device = &site_->device(), job.options.hosts = &site_->hosts();
    }
    if (!optimizer) optimizer = toy_optimizer(job.settings);
    Engine engine(toy_model(job.shape), job.placement, std::move(optimizer),
                  on_device ? site_->world() : site_->hosts(), job.options);
    engine.executor().before_each(job.before_each);
    engine.load(read_starting_values());
    Trained trained;
    for (int step = 1; step <= job.settings.steps; ++step) {
      StepInput input = toy_step(job, rank(), step);
      if (watch.before_step) watch.before_step(step, input);
      const StepResult result = engine.train(input);
      trained.overflows += result.overflow;
      trained.losses.push_back(result.loss), trained.norms.push_back(result.gradient_norm);
    }
    if (watch.afterwards) watch.afterwards(engine);
    trained.evaluated = engine.evaluate(toy_step(job, rank(), 1).micro_batches);
    engine.for_each_slice([&](const StateSlice& slice) {
      if (slice.dtype != DType::f32) return;
      auto& values =
          trained.state[slice.parameter->name + "/" + slice.state + fmt::format("@{}", slice.begin)];
      values.resize(static_cast<std::size_t>(slice.count));
      slice.read(0, std::as_writable_bytes(std::span(values)));
    });
    return trained;
  }

  static void expect_equal(const Trained& on_device, const Trained& on_host, double bound,
                           const std::string& what) {
    ASSERT_EQ(on_device.losses.size(), on_host.losses.size());
    for (std::size_t step = 0; step < on_host.losses.size(); ++step) {
      EXPECT_NEAR(on_device.losses[step] / on_host.losses[step], 1.0, bound) << what << ", step " << step;
      EXPECT_NEAR(on_device.norms[step] / on_host.norms[step], 1.0, 10 * bound) << what << ", step " << step;
    }
    EXPECT_NEAR(on_device.evaluated / on_host.evaluated, 1.0, bound) << what;
    ASSERT_EQ(on_device.state.size(), on_host.state.size()) << what;
    for (const auto& [name, values] : on_host.state) {
      const auto& others = on_device.state.at(name);
      ASSERT_EQ(others.size(), values.size()) << name;
      for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_NEAR(others[i], values[i], 20 * bound) << what << ", " << name << " at " << i;
    }
  }

  std::unique_ptr<DeviceSite> site_;
};

inline ToyJob job_of(std::string_view name, Codec codec) {
  ToyJob job;
  job.placement = preset(name, codec);
  job.settings.steps = 3;
  return job;
}

}  // namespace trireme::sharding::tests
