#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "cuda/cuda_plugin.h"
#include "optim/adamw.h"
#include "optim/sgd.h"
#include "tests/cuda/watched_device.h"
#include "tests/nccl_double/host_compute.h"
#include "tests/nccl_double/host_cuda.h"

namespace trireme::tests {
namespace {

constexpr std::size_t count = 1003;

/// Values of a parameter, their copy in bf16 and their states, all on the host.
struct Trained {
  std::vector<float> values, gradient;
  std::vector<std::uint16_t> copy = std::vector<std::uint16_t>(count);
  std::vector<std::vector<std::byte>> states;

  explicit Trained(const sharding::Optimizer& rule) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < count; ++i)
      values.push_back(normal(random)), gradient.push_back(normal(random));
    for (const sharding::StateKind& kind : rule.states()) states.emplace_back(count * size_of(kind.dtype));
  }
  void update(const sharding::Optimizer& rule, std::int64_t step, DeviceKernels* device) {
    const sharding::Parameter parameter{"weight", {17, 59}};
    std::vector<std::byte*> pointers;
    for (auto& state : states) pointers.push_back(state.data());
    sharding::UpdateRun run;
    run.parameter = &parameter, run.count = count, run.master = values.data(), run.gradient = gradient.data();
    run.states = pointers, run.copy = copy.data(), run.copy_dtype = DType::bf16, run.device = device;
    rule.update(run, {.learning_rate = 1e-2, .gradient_scale = 0.5, .step = step});
  }
};

TEST(RulesOverDouble, GiveTheHostsBitsThroughTheDevicesKernels) {
  cuda::Apis apis{};
  apis.cuda = host_cuda_api(), apis.compute = host_compute_api();
  apis.use_for_tensors = use_host_stream_for_tensors, apis.tensor_stream = host_tensor_stream;
  apis.is_host = true;
  cuda::CudaPlugin plugin(apis);
  const auto real = plugin.open(0);
  WatchedDevice device(*real);
  const auto stream = device.make_stream(Priority::normal);
  stream->use_for_tensors();

  const optim::AdamWSettings adamw{.beta2 = 0.95, .weight_decay = optim::decay_all(0.1)};
  const optim::AdamW whole(adamw);
  const optim::AdamW8 blockwise(adamw);
  const optim::Sgd plain({.weight_decay = optim::decay_all(0.1)});
  const optim::Sgd moved({.momentum = 0.9, .dampening = 0.3});
  const optim::Sgd nesterov({.momentum = 0.9, .nesterov = true, .weight_decay = optim::decay_all(0.1)});
  for (const auto& [rule, kernel] : std::vector<std::pair<const sharding::Optimizer*, std::string>>{
           {&whole, "adamw"}, {&blockwise, "adamw8"}, {&plain, "sgd"}, {&moved, "sgd"}, {&nesterov, "sgd"}}) {
    device.watched().forget();
    Trained on_host(*rule), on_device(*rule);
    for (std::int64_t step = 1; step <= 3; ++step) {
      on_host.update(*rule, step, nullptr);
      on_device.update(*rule, step, &device.kernels());
      EXPECT_EQ(device.watched().calls(kernel), step) << rule->name();
    }
    EXPECT_EQ(std::memcmp(on_host.values.data(), on_device.values.data(), count * sizeof(float)), 0)
        << rule->name();
    EXPECT_EQ(on_host.copy, on_device.copy) << rule->name();
    EXPECT_EQ(on_host.states, on_device.states) << rule->name();
  }
}

}  // namespace
}  // namespace trireme::tests
