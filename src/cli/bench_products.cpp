#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "cli/bench_commands.h"
#include "cli/job_words.h"
#include "cli/loaded_model.h"
#include "cli/lora.h"
#include "cli/plan.h"
#include "core/log.h"
#include "model/linear.h"
#include "model/weight_gradient.h"
#include "model/work.h"
#include "sharding/tensor_memory.h"

namespace trireme::cli {
namespace {

struct Timed {
  double seconds = 0, flops = 0;
  void add(const Timed& other) { seconds += other.seconds, flops += other.flops; }
  boost::json::object as_json() const {
    return {{"seconds", seconds}, {"gflops", flops / 1e9}, {"gflops_per_s", flops / seconds / 1e9}};
  }
};

double median_seconds(const std::function<void()>& work) {
  using clock = std::chrono::steady_clock;
  constexpr int runs = 5;
  work();
  std::vector<double> taken;
  for (int run = 0; run < runs; ++run) {
    const auto begin = clock::now();
    work();
    taken.push_back(std::chrono::duration<double>(clock::now() - begin).count());
  }
  std::sort(taken.begin(), taken.end());
  return taken[runs / 2];
}

/// A product of the step with its two gradients, that of the weight summed in fp32 where it is kept.
Timed time_product(const sharding::Product& product, bool input_gradient, at::ScalarType compute) {
  const auto m = static_cast<std::int64_t>(product.m), n = static_cast<std::int64_t>(product.n),
             k = static_cast<std::int64_t>(product.k);
  const at::Tensor x = at::randn({m, k}).to(compute), weight = at::randn({n, k}).to(compute),
                   gradient = at::randn({m, n}).to(compute), into = at::zeros({n, k}, at::kFloat);
  Timed timed;
  timed.seconds = median_seconds([&] { model::multiply(x, weight, {}, false); }) +
                  median_seconds([&] { model::add_product(gradient, x, into, false); });
  if (input_gradient)
    timed.seconds += median_seconds([&] { model::input_gradient(gradient, weight, false); });
  timed.flops = product.flops() * (input_gradient ? 3 : 2);
  return timed;
}

/// The list of products of one micro-batch, forward and backward, one after the other.
int bench_products(const JobWords& words) {
  log::configure("bench", log::Level::info);
  const jobs::JobSpec job = load(words);
  sharding::keep_tensor_memory();
  const bool bf16 = job.bf16 == "true" || (job.bf16 == "auto" && __builtin_cpu_supports("avx512bf16"));
  const at::ScalarType compute = bf16 ? at::kBFloat16 : at::kFloat;
  const model::ModelSpec spec = spec_of(job.base_model, job.sequence_len);
  const auto work = model::work_of(
      spec, model::shape_here(spec, job.micro_batch_size, job.sequence_len, bf16 ? DType::bf16 : DType::f32),
      lora_of(job));
  const at::AutoGradMode no_grad(false);
  Timed all;
  // Blocks are alike: one stands for all.
  const auto blocks = static_cast<double>(work.units.size() - 2);
  for (const std::size_t unit : {std::size_t{1}, work.units.size() - 1})
    for (const sharding::Product& product : work.units[unit].products) {
      Timed timed = time_product(product, work.units[unit].input_gradient, compute);
      if (unit == 1) timed.seconds *= blocks, timed.flops *= blocks;
      all.add(timed);
    }
  boost::json::object found{{"threads", at::get_num_threads()}, {"products", all.as_json()}};
  fmt::print("{}\n", boost::json::serialize(found));
  return 0;
}

}  // namespace

void add_bench_products(Command bench) {
  Command command = bench.subcommand(
      "products", "The matrix products of a job's step by themselves: what the step could take at least");
  auto words = std::make_shared<JobWords>();
  add_job_words(command, *words);
  command.footer("Example: OMP_NUM_THREADS=2 trireme bench products job.yaml");
  command.runs([words] { return bench_products(*words); });
}

}  // namespace trireme::cli
