#include <algorithm>
#include <array>
#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "cli/bench_commands.h"
#include "cli/engine_options.h"
#include "cli/job_words.h"
#include "cli/loaded_model.h"
#include "cli/plan.h"
#include "cli/short_training.h"
#include "cli/step_report.h"
#include "cli/vocabulary.h"
#include "comm/bench/fit.h"
#include "comm/codec/codec.h"
#include "comm/codec/two_hop_reduce_scatter.h"
#include "comm/mpi/mpi_world.h"
#include "core/log.h"
#include "model/attention.h"
#include "model/linear.h"
#include "optim/adamw.h"
#include "sharding/arrays.h"
#include "sharding/crew.h"
#include "sharding/predict/costs.h"
#include "sharding/presets.h"
#include "sharding/tensor_memory.h"

namespace trireme::cli {
namespace {

/// Measures on all ranks at once, as they compute in a step, and takes the slowest.
class Stopwatch {
 public:
  explicit Stopwatch(comm::Communicator& everyone) : everyone_(everyone) {}

  /// The median of a few blocks of runs that take long enough to be timed.
  double seconds(const std::function<void()>& work, double least_s = 0.05) const {
    using clock = std::chrono::steady_clock;
    work();
    std::vector<double> blocks;
    int runs = 1;
    for (int block = 0; block < blocks_timed;) {
      everyone_.barrier();
      const auto begin = clock::now();
      for (int run = 0; run < runs; ++run) work();
      double took = std::chrono::duration<double>(clock::now() - begin).count();
      everyone_.all_reduce(&took, &took, 1, DType::f64, comm::Reduction::max);
      if (took < least_s && runs < most_runs) {
        runs *= 2;
        continue;
      }
      blocks.push_back(took / runs);
      ++block;
    }
    std::sort(blocks.begin(), blocks.end());
    return blocks[blocks.size() / 2];
  }

 private:
  static constexpr int blocks_timed = 5, most_runs = 1 << 14;
  comm::Communicator& everyone_;
};

/// What an operation takes however little it computes, where all threads take part: what is left of two sizes
/// that the caches hold.
double seconds_of_an_operation(const Stopwatch& watch) {
  constexpr std::int64_t least = std::int64_t{1} << 16;
  const auto seconds = [&](std::int64_t elements) {
    const at::Tensor from = at::ones({elements}), other = at::ones({elements});
    at::Tensor into = at::empty({elements});
    return watch.seconds([&] { at::add_out(into, from, other); });
  };
  return std::max(0.0, 2 * seconds(least) - seconds(2 * least));
}

/// Rates from a short model of the job's own blocks: their products, their attention, and what else they
/// take.
void measure_computation(sharding::Machine& machine, const jobs::JobSpec& job, const model::ModelSpec& spec,
                         comm::World& world, const Stopwatch& watch, sharding::Codec codec) {
  const ShortTraining training = train_shortly(job, spec, world, codec);
  const auto& units = training.work.units;
  const auto blocks = static_cast<double>(std::count_if(units.begin(), units.end(), is_block));
  const at::ScalarType compute = scalar_type(codec);
  const bool fp32 = codec == sharding::Codec::fp32;
  const sharding::UnitWork& block = *std::find_if(units.begin(), units.end(), is_block);
  const at::AutoGradMode no_grad(false);

  double flops = 0, products_s = 0;
  for (const sharding::Product& product : block.products) {
    const auto m = static_cast<std::int64_t>(product.m), n = static_cast<std::int64_t>(product.n),
               k = static_cast<std::int64_t>(product.k);
    const at::Tensor x = at::randn({m, k}).to(compute), weight = at::randn({n, k}).to(compute);
    products_s += watch.seconds([&] { model::multiply(x, weight, {}, false); });
    flops += product.flops();
  }
  machine.matrix_share = 1, machine.small_dimension = machine.small_rows = 0;

  const auto heads = [&](std::int64_t count) {
    return at::randn({job.micro_batch_size, job.sequence_len, count, spec.head_size}).to(compute);
  };
  const at::Tensor query = heads(spec.heads), key = heads(spec.key_value_heads),
                   value = heads(spec.key_value_heads);
  const double attention_s =
      watch.seconds([&] { model::attend(query, key, value, {}, 0, spec.attention_scale); });

  const at::Tensor from = at::randn({std::int64_t{1} << 24}), into = at::empty_like(from);
  const double copied = 2.0 * static_cast<double>(from.numel()) * sizeof(float);
  machine.memory_bytes_per_s = copied / watch.seconds([&] { at::empty_like(into).copy_(from); });

  const double forward_s = training.blocks_forward_s / blocks;
  // Each product and each other operation is one; together they are never most of a block.
  const auto operations = static_cast<double>(block.products.size()) + block.kernels;
  machine.kernel_s = std::min(seconds_of_an_operation(watch), forward_s / 2 / operations);
  products_s -= static_cast<double>(block.products.size()) * machine.kernel_s;
  const double computed_s = std::max(products_s, forward_s / 10) + attention_s,
               within_s = forward_s - operations * machine.kernel_s;
  // What is left of a block can take no less than its bytes; if all parts by themselves take longer than the
  // block, it is because each of them finds less in the caches.
  const double least_s = block.elementwise_bytes / machine.memory_bytes_per_s;
  const double rest_s = std::max(within_s - computed_s, std::min(least_s, within_s / 2));
  const double share = (within_s - rest_s) / computed_s;
  machine.memory_share = block.elementwise_bytes / rest_s / machine.memory_bytes_per_s;
  (fp32 ? machine.matrix_flops_fp32 : machine.matrix_flops) = flops / ((computed_s - attention_s) * share);
  machine.attention_share = block.attention_flops / flops * (computed_s - attention_s) / attention_s;

  machine.backward_factor = machine.head_factor = 1;
  double backward_s = 0, head_s = 0;
  for (const sharding::UnitWork& unit : units)
    if (is_block(unit)) backward_s += sharding::backward_seconds(unit, machine, fp32);
  machine.backward_factor = training.blocks_backward_s / backward_s;
  for (const sharding::UnitWork& unit : units)
    if (unit.scores)
      head_s +=
          sharding::forward_seconds(unit, machine, fp32) + sharding::backward_seconds(unit, machine, fp32);
  machine.head_factor = training.head_s / head_s;
}

/// What wires in 8 and 4 bits make of numbers, as many at once as their collectives encode and decode: whole
/// groups that no cache holds, and rounds of a reduction.
void measure_codecs(sharding::Machine& machine, const Stopwatch& watch) {
  namespace codec = comm::codec;
  constexpr std::size_t numbers = std::size_t{1} << 22;
  const auto measure = [&](const codec::BlockFormat& format, DType dtype, std::size_t at_once,
                           double& encodes, double& decodes) {
    const comm::Buffer at_rest = sharding::host_buffer(numbers * size_of(dtype)),
                       encoded = sharding::host_buffer(format.bytes(at_once));
    const at::Tensor values = at::randn({static_cast<std::int64_t>(numbers)});
    sharding::store(values.data_ptr<float>(), at_rest.data(), dtype, static_cast<std::int64_t>(numbers));
    const auto rate = [&](const auto& work) {
      return static_cast<double>(numbers) / watch.seconds([&] {
        for (std::size_t done = 0; done < numbers; done += at_once)
          work(at_rest.as<std::byte>() + done * size_of(dtype));
      });
    };
    encodes = rate([&](std::byte* part) { codec::encode(format, part, dtype, at_once, encoded.data()); });
    decodes = rate([&](std::byte* part) { codec::decode(format, encoded.data(), at_once, part, dtype); });
  };
  measure(codec::int8_blocks, DType::bf16, numbers, machine.encode8_per_s, machine.decode8_per_s);
  measure(codec::int4_blocks, DType::f32, comm::TwoHopOptions{}.lane_elements, machine.encode4_per_s,
          machine.decode4_per_s);
}

/// What a two-hop reduction takes that moves next to nothing.
void measure_two_hops(sharding::Machine& machine, comm::World& world, const comm::Group& all,
                      const Stopwatch& watch) {
  if (all.size() == 1) return;
  constexpr std::size_t each = 256;
  comm::TwoHopReduceScatter reduction(world, all, {});
  const auto ranks = static_cast<std::size_t>(all.size());
  const comm::Buffer whole = sharding::host_buffer(ranks * each * sizeof(float)),
                     slice = sharding::host_buffer(each * sizeof(float));
  std::fill_n(whole.as<float>(), ranks * each, 1.0f);
  machine.two_hop_s = watch.seconds([&] {
    reduction.run(whole.data(), DType::f32, slice.data(), DType::f32, comm::Shards::even(each, all.size()),
                  comm::Reduction::sum);
  });
}

/// With state that no cache holds, by the threads that share an engine's updates and norms.
void measure_update(sharding::Machine& machine, const sharding::EngineOptions& options, int ranks_on_node,
                    const Stopwatch& watch) {
  constexpr std::int64_t elements = std::int64_t{1} << 24, granule = 16;
  const auto floats = [] { return sharding::host_buffer(elements * sizeof(float)); };
  const comm::Buffer gradient = floats(), first = floats(), second = floats();
  const auto halves = [] { return sharding::host_buffer(elements * sizeof(BFloat16)); };
  const comm::Buffer parameters = halves(), lower = halves();
  std::fill_n(parameters.as<BFloat16>(), elements, BFloat16(0.5f));
  std::fill_n(gradient.as<float>(), elements, 0.1f);
  const optim::AdamW adamw(optim::AdamWSettings{});
  const sharding::Parameter parameter{"measured", {elements}};
  offload::Team team(options.tiers.update_cores);
  const auto update = [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::byte*> states{reinterpret_cast<std::byte*>(first.as<float>() + begin),
                                   reinterpret_cast<std::byte*>(second.as<float>() + begin)};
    sharding::UpdateRun run;
    run.parameter = &parameter, run.begin = begin, run.count = end - begin;
    run.gradient = gradient.as<float>() + begin, run.states = states;
    run.copy = parameters.as<BFloat16>() + begin, run.copy_dtype = DType::bf16;
    run.lower = lower.as<std::uint16_t>() + begin;
    adamw.update(run, {1e-6, 1.0, 1});
  };
  const double update_s = watch.seconds([&] { team.for_ranges(elements, granule, update); });
  machine.update_bytes_per_s = sharding::update_bytes_per_element * elements / update_s;
  machine.host_update_bytes_per_s = machine.update_bytes_per_s * ranks_on_node;
  sharding::Crew crew(options.host_threads, "norm");
  const double norm_s = watch.seconds([&] {
    crew.sum(elements, [&](std::int64_t begin, std::int64_t count) {
      return sharding::sum_of_squares(gradient.as<float>() + begin, count);
    });
  });
  machine.norm_bytes_per_s = sizeof(float) * elements / norm_s;
}

/// Delay and rate of a link from all-gathers and reduce-scatters of two ranks and more.
void measure_links(sharding::Machine& machine, comm::World& world, const Stopwatch& watch) {
  const auto extent = extent_of(world);
  // Across nodes, what crosses a node's border counts, which all of its ranks share.
  const auto measure = [&](const comm::Group& group, int parts, sharding::Link& link) {
    const auto communicator = world.communicator(group, "auto", {});
    const int ranks = group.size();
    if (ranks == 1) return;
    std::vector<comm::bench::Sample> samples;
    for (std::size_t each = std::size_t{1} << 11; each <= std::size_t{1} << 23; each *= 8) {
      const comm::Buffer shard = communicator->allocate(each * sizeof(float));
      const comm::Buffer whole =
          communicator->allocate(each * sizeof(float) * static_cast<std::size_t>(ranks));
      std::fill_n(shard.as<float>(), each, 1.0f);
      const auto shards = comm::Shards::even(each, ranks);
      const double sent = static_cast<double>(each * sizeof(float)) * ranks * (parts - 1) / parts;
      samples.push_back({sent, watch.seconds([&] {
                           communicator->all_gather(shard.data(), whole.data(), shards, DType::f32);
                         })});
      samples.push_back({sent, watch.seconds([&] {
                           communicator->reduce_scatter(whole.data(), shard.data(), shards, DType::f32,
                                                        comm::Reduction::max);
                         })});
    }
    const auto fit = comm::bench::fit_alpha_beta(samples);
    if (fit) link = {std::max(0.0, fit->alpha_s) / (parts - 1), fit->bytes_per_second};
  };
  comm::Group mine, all;
  const int node = world.node_of_rank()[static_cast<std::size_t>(world.rank())];
  for (int rank = 0; rank < world.size(); ++rank) {
    all.ranks.push_back(rank);
    if (world.node_of_rank()[static_cast<std::size_t>(rank)] == node) mine.ranks.push_back(rank);
  }
  machine.link_share = 1;
  measure(mine, mine.size(), machine.inside);
  if (extent.node < extent.world) measure(all, extent.world / extent.node, machine.across);
}

struct Slowdown {
  double computation = 0, collectives = 0;
};

/// By how much more than by itself each takes while the collectives of `members` run beside computation; the
/// mean of all ranks.
Slowdown measure_sharing(comm::Communicator& members, comm::Communicator& everyone, at::ScalarType compute,
                         const Stopwatch& watch) {
  using Clock = std::chrono::steady_clock;
  constexpr std::int64_t side = 512, shard = std::int64_t{1} << 19;
  constexpr int collectives = 6;
  const at::AutoGradMode no_grad(false);
  const at::Tensor x = at::randn({side, side}).to(compute), weight = at::randn({side, side}).to(compute);
  const auto product = [&] { model::multiply(x, weight, {}, false); };
  const auto ranks = static_cast<std::size_t>(members.size());
  const comm::Buffer part = members.allocate(shard * sizeof(float)),
                     whole = members.allocate(shard * sizeof(float) * ranks);
  std::fill_n(part.as<float>(), shard, 1.0f);
  const auto gather = [&] {
    members.all_gather(part.data(), whole.data(), comm::Shards::even(shard, members.size()), DType::f32);
  };
  const double product_s = watch.seconds(product), gather_s = watch.seconds(gather);
  everyone.barrier();
  std::atomic<bool> done = false;
  const auto begin = Clock::now();
  std::thread other([&] {
    for (int i = 0; i < collectives; ++i) gather();
    done = true;
  });
  int products = 0;
  for (; !done; ++products) product();
  const double took = std::chrono::duration<double>(Clock::now() - begin).count();
  other.join();
  std::array<double, 2> slower{took / (std::max(products, 1) * product_s) - 1,
                               took / (collectives * gather_s) - 1};
  everyone.all_reduce(slower.data(), slower.data(), slower.size(), DType::f64, comm::Reduction::sum);
  return {std::max(0.0, slower[0] / everyone.size()), std::max(0.0, slower[1] / everyone.size())};
}

/// How collectives across nodes and computation slow each other: those of all ranks, and those of one rank a
/// node, as replicas have them.
void measure_sharing(sharding::Machine& machine, comm::World& world, comm::Communicator& everyone,
                     at::ScalarType compute, const Stopwatch& watch) {
  if (extent_of(world).node == world.size()) return;
  const auto& nodes = world.node_of_rank();
  const auto place_on_node = [&](int rank) {
    return std::count(nodes.begin(), nodes.begin() + rank, nodes[static_cast<std::size_t>(rank)]);
  };
  comm::Group lane;
  for (int rank = 0; rank < world.size(); ++rank)
    if (place_on_node(rank) == place_on_node(world.rank())) lane.ranks.push_back(rank);
  const auto replicas = world.communicator(lane, "auto", {});
  const Slowdown of_all = measure_sharing(everyone, everyone, compute, watch);
  machine.compute_beside_collective = of_all.computation;
  machine.collective_beside_compute = of_all.collectives;
  constexpr double known = 1e-3;
  machine.lane_beside_compute =
      std::max(known, measure_sharing(*replicas, everyone, compute, watch).collectives);
}

/// What a step takes beside its operations: threads that come and go, lanes that hand over, caches that
/// others have used. What is left of a whole step when all that is counted has been taken off.
void measure_steps(sharding::Machine& machine, const jobs::JobSpec& job, const model::ModelSpec& spec,
                   comm::World& world, sharding::Codec codec) {
  const WholeStep step = step_shortly(job, spec, world, codec);
  sharding::Machine alone = machine;
  alone.inside = alone.across = {0, std::numeric_limits<double>::infinity()};
  alone.step_s = 0;
  const auto costs =
      costs_of(step.schedule, sharding::preset("ddp", codec), step.work, alone, extent_of(world));
  const double counted = simulate(step.schedule, costs, alone.sharing()).step_s();
  machine.step_s = std::max(0.0, step.seconds - counted);
  if (world.rank() == 0)
    log::info("a step of the short model takes {:.4f} s, of which {:.4f} s are counted op by op",
              step.seconds, counted);
}

int bench_machine(const JobWords& words) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  comm::MpiWorld world(runtime);
  log::configure(fmt::format("rank {}", world.rank()), log::Level::info);
  const jobs::JobSpec job = load(words);
  share_cores(world);
  sharding::keep_tensor_memory();
  comm::Group all;
  for (int rank = 0; rank < world.size(); ++rank) all.ranks.push_back(rank);
  const auto everyone = world.communicator(all, "auto", {});
  const Stopwatch watch(*everyone);
  sharding::Machine machine = sharding::known_machine("cpu", "trireme");
  machine.cores = world.cores();
  const sharding::Codec codec = compute_type(job);
  const model::ModelSpec spec = with_chunks(spec_of(job.base_model, job.sequence_len), job,
                                            jobs::placement_of(job, codec), extent_of(world));
  measure_computation(machine, job, spec, world, watch, codec);
  measure_codecs(machine, watch);
  measure_two_hops(machine, world, all, watch);
  measure_update(machine, engine_options(job, world), extent_of(world).node, watch);
  measure_steps(machine, job, spec, world, codec);
  measure_links(machine, world, watch);
  measure_sharing(machine, world, *everyone, scalar_type(codec), watch);
  if (world.rank() != 0) return 0;
  boost::json::object figures;
  for (const sharding::Figure& figure : sharding::figures_of(machine)) figures[figure.name] = figure.value;
  fmt::print("{}\n", boost::json::serialize(figures));
  return 0;
}

}  // namespace

void add_bench_machine(Command bench) {
  Command command = bench.subcommand(
      "machine", "Measure what `plan` wants to know of this machine: products, memory, update, links");
  auto words = std::make_shared<JobWords>();
  add_job_words(command, *words);
  command.footer("Example: mpirun -n 2 trireme bench machine job.yaml > machine.json");
  command.runs([words] { return bench_machine(*words); });
}

}  // namespace trireme::cli
