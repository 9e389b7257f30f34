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
#include "cli/compute_settings.h"
#include "cli/job_words.h"
#include "cli/loaded_model.h"
#include "cli/lora.h"
#include "cli/measuring_site.h"
#include "cli/plan.h"
#include "core/log.h"
#include "model/linear.h"
#include "model/weight_gradient.h"
#include "model/work.h"

namespace trireme::cli {
namespace {

struct Timed {
  double seconds = 0, flops = 0;
  void add(const Timed& other) { seconds += other.seconds, flops += other.flops; }
  boost::json::object as_json() const {
    return {{"seconds", seconds}, {"gflops", flops / 1e9}, {"gflops_per_s", flops / seconds / 1e9}};
  }
};

double median_seconds(MeasuringSite& site, const std::function<void()>& work) {
  using clock = std::chrono::steady_clock;
  constexpr int times = 5;
  // A GPU is given several at once, as in a step.
  const int together = site.device() ? 8 : 1;
  work();
  site.lane().finish();
  std::vector<double> taken;
  for (int time = 0; time < times; ++time) {
    const auto begin = clock::now();
    for (int run = 0; run < together; ++run) work();
    site.lane().finish();
    taken.push_back(std::chrono::duration<double>(clock::now() - begin).count() / together);
  }
  std::sort(taken.begin(), taken.end());
  return taken[times / 2];
}

/// A product of the step with its two gradients, that of the weight summed in fp32 where it is kept.
Timed time_product(MeasuringSite& site, const sharding::Product& product, bool input_gradient,
                   at::ScalarType compute) {
  const auto m = static_cast<std::int64_t>(product.m), n = static_cast<std::int64_t>(product.n),
             k = static_cast<std::int64_t>(product.k);
  const at::Tensor x = site.random({m, k}, compute), weight = site.random({n, k}, compute),
                   gradient = site.random({m, n}, compute),
                   into = at::zeros({n, k}, x.options().dtype(at::kFloat));
  Timed timed;
  timed.seconds = median_seconds(site, [&] { model::multiply(x, weight, {}, false); }) +
                  median_seconds(site, [&] { model::add_product(gradient, x, into, false); });
  if (input_gradient)
    timed.seconds += median_seconds(site, [&] { model::input_gradient(gradient, weight, false); });
  timed.flops = product.flops() * (input_gradient ? 3 : 2);
  return timed;
}

/// The list of products of one micro-batch, forward and backward, one after the other.
int bench_products(const JobWords& words) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  log::configure("bench", log::Level::info);
  const jobs::JobSpec job = load(words);
  Ranks ranks(runtime, job);
  prepare_to_compute(job, ranks);
  MeasuringSite site(ranks.worlds());
  site.lane().enter();
  const sharding::Codec codec = compute_type(job);
  const at::ScalarType compute = scalar_type(codec);
  const model::ModelSpec spec = spec_of(job.base_model, job.sequence_len);
  const auto work = model::work_of(spec, work_shape(job, spec, codec), lora_of(job));
  const at::AutoGradMode no_grad(false);
  Timed all;
  // Blocks are alike: one stands for all.
  const auto blocks = static_cast<double>(work.units.size() - 2);
  for (const std::size_t unit : {std::size_t{1}, work.units.size() - 1})
    for (const sharding::Product& product : work.units[unit].products) {
      Timed timed = time_product(site, product, work.units[unit].input_gradient, compute);
      if (unit == 1) timed.seconds *= blocks, timed.flops *= blocks;
      all.add(timed);
    }
  boost::json::object found{{"device", ranks.device() ? ranks.device()->info().name : "cpu"},
                            {"threads", at::get_num_threads()},
                            {"products", all.as_json()}};
  fmt::print("{}\n", boost::json::serialize(found));
  return 0;
}

}  // namespace

void add_bench_products(Command bench) {
  Command command = bench.subcommand(
      "products", "The matrix products of a job's step by themselves: what the step could take at least");
  auto words = std::make_shared<JobWords>();
  add_job_words(command, *words);
  command.footer(
      "Times GPUs or the CPU, as the job's key `device` says.\nExample: OMP_NUM_THREADS=2 trireme bench "
      "products job.yaml");
  command.runs([words] { return bench_products(*words); });
}

}  // namespace trireme::cli
