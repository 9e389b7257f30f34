#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "cli/measuring_site.h"
#include "cli/step_report.h"
#include "comm/bench/fit.h"
#include "comm/codec/codec.h"
#include "comm/codec/two_hop_reduce_scatter.h"
#include "model/linear.h"
#include "sharding/arrays.h"

namespace trireme::cli {
namespace {

using comm::Call;

/// As many numbers at once as the wires' collectives encode and decode: whole groups that no cache holds, and
/// rounds of a reduction.
void measure_codecs(sharding::Machine& machine, MeasuringSite& site) {
  namespace codec = comm::codec;
  constexpr std::size_t numbers = std::size_t{1} << 22;
  const auto mover = site.worlds().computing.communicator(site.all(), "auto", {});
  const codec::Coder& coder = codec::coder_of(*mover);
  const Stopwatch watch(site.everyone(), [&] { coder.finish(); });
  const auto measure = [&](const codec::BlockFormat& format, DType dtype, std::size_t at_once,
                           double& encodes, double& decodes) {
    const comm::Buffer at_rest = sharding::zeroed_array(site.lane(), numbers * size_of(dtype)),
                       encoded = sharding::zeroed_array(site.lane(), format.bytes(at_once));
    const at::Tensor values = at::randn({static_cast<std::int64_t>(numbers)});
    const comm::Buffer stored = sharding::host_buffer(at_rest.bytes());
    sharding::store(values.data_ptr<float>(), stored.data(), dtype, static_cast<std::int64_t>(numbers));
    site.lane().write(at_rest.data(), stored.data(), stored.bytes());
    const auto rate = [&](const auto& work) {
      return static_cast<double>(numbers) / watch.seconds([&] {
        for (std::size_t done = 0; done < numbers; done += at_once)
          work(at_rest.as<std::byte>() + done * size_of(dtype));
      });
    };
    encodes = rate([&](std::byte* part) { coder.encode(format, part, dtype, at_once, encoded.data()); });
    decodes = rate([&](std::byte* part) {
      coder.decode_sum(format, {encoded.data(), format.bytes(at_once), 1}, at_once, 1.0f, part, dtype);
    });
  };
  measure(codec::int8_blocks, DType::bf16, numbers, machine.encode8_per_s, machine.decode8_per_s);
  measure(codec::int4_blocks, DType::f32, comm::TwoHopOptions{}.lane_elements, machine.encode4_per_s,
          machine.decode4_per_s);
}

void measure_two_hops(sharding::Machine& machine, MeasuringSite& site) {
  const int ranks = site.all().size();
  if (ranks == 1) return;
  constexpr std::size_t each = 256;
  comm::TwoHopReduceScatter reduction(site.worlds().computing, site.all(), site.as_lanes_have());
  const comm::Buffer whole = filled_array(site.lane(), static_cast<std::size_t>(ranks) * each, 1.0f),
                     slice = filled_array(site.lane(), each, 0.0f);
  machine.two_hop_s = site.watch().seconds([&] {
    reduction.run(whole.data(), DType::f32, slice.data(), DType::f32, comm::Shards::even(each, ranks),
                  comm::Reduction::sum);
  });
}

/// Of `group`, whose parts share memory or a border: across nodes, what crosses a node's border counts, which
/// all of its ranks share.
void measure_link(sharding::Link& link, MeasuringSite& site, const comm::Group& group, int parts) {
  const auto communicator = site.worlds().computing.communicator(group, "auto", site.as_lanes_have());
  const int ranks = group.size();
  if (ranks == 1) return;
  sharding::ArrayLane& lane = site.lane();
  std::vector<comm::bench::Sample> samples;
  for (std::size_t each = std::size_t{1} << 11; each <= std::size_t{1} << 23; each *= 8) {
    const comm::Buffer shard = communicator->allocate(each * sizeof(float));
    const comm::Buffer whole = communicator->allocate(each * sizeof(float) * static_cast<std::size_t>(ranks));
    const std::vector<float> ones(each, 1.0f);
    lane.write(shard.data(), ones.data(), each * sizeof(float));
    const auto shards = comm::Shards::even(each, ranks);
    const double sent = static_cast<double>(each * sizeof(float)) * ranks * (parts - 1) / parts;
    for (const Call& call :
         {Call::all_gather(shard.data(), whole.data(), shards, DType::f32),
          Call::reduce_scatter(whole.data(), shard.data(), shards, DType::f32, comm::Reduction::max)})
      samples.push_back({sent, site.watch().seconds([&] { lane.call(*communicator, call); })});
  }
  const auto fit = comm::bench::fit_alpha_beta(samples);
  if (fit) link = {std::max(0.0, fit->alpha_s) / (parts - 1), fit->bytes_per_second};
}

struct Slowdown {
  double computation = 0, collectives = 0;
};

/// By how much more than by itself each takes while the collectives of `members` run beside computation; the
/// mean of all ranks.
Slowdown measure_sharing(comm::Communicator& members, MeasuringSite& site, at::ScalarType compute) {
  using Clock = std::chrono::steady_clock;
  constexpr std::int64_t side = 512, shard = std::int64_t{1} << 19;
  constexpr int collectives = 6;
  const at::AutoGradMode no_grad(false);
  site.lane().enter();
  const at::Tensor x = site.random({side, side}, compute), weight = site.random({side, side}, compute);
  const auto product = [&] {
    model::multiply(x, weight, {}, false);
    site.lane().finish();
  };
  const auto ranks = static_cast<std::size_t>(members.size());
  const comm::Buffer part = members.allocate(shard * sizeof(float)),
                     whole = members.allocate(shard * sizeof(float) * ranks);
  const std::vector<float> ones(shard, 1.0f);
  site.lane().write(part.data(), ones.data(), shard * sizeof(float));
  sharding::ArrayLane beside(site.device());
  const auto gather = [&] {
    beside.call(members, Call::all_gather(part.data(), whole.data(),
                                          comm::Shards::even(shard, members.size()), DType::f32));
    beside.finish();
  };
  const double product_s = site.watch().seconds(product), gather_s = site.watch().seconds(gather);
  site.everyone().barrier();
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
  site.everyone().all_reduce(slower.data(), slower.data(), slower.size(), DType::f64, comm::Reduction::sum);
  return {std::max(0.0, slower[0] / site.all().size()), std::max(0.0, slower[1] / site.all().size())};
}

/// Those of all ranks, and those of one rank a node, as replicas have them. Inside a node of hosts they share
/// cores instead.
void measure_sharing(sharding::Machine& machine, MeasuringSite& site, at::ScalarType compute) {
  const comm::World& hosts = site.worlds().hosts;
  comm::World& computing = site.worlds().computing;
  const bool one_node = extent_of(hosts).node == hosts.size();
  if (hosts.size() == 1 || (one_node && !site.device())) return;
  const auto everyone = computing.communicator(site.all(), "auto", site.as_lanes_have());
  const Slowdown of_all = measure_sharing(*everyone, site, compute);
  machine.compute_beside_collective = of_all.computation;
  machine.collective_beside_compute = of_all.collectives;
  if (one_node) return;
  const auto& nodes = hosts.node_of_rank();
  const auto place_on_node = [&](int rank) {
    return std::count(nodes.begin(), nodes.begin() + rank, nodes[static_cast<std::size_t>(rank)]);
  };
  comm::Group lane;
  for (const int rank : site.all().ranks)
    if (place_on_node(rank) == place_on_node(hosts.rank())) lane.ranks.push_back(rank);
  const auto replicas = computing.communicator(lane, "auto", site.as_lanes_have());
  constexpr double known = 1e-3;
  machine.lane_beside_compute = std::max(known, measure_sharing(*replicas, site, compute).collectives);
}

}  // namespace

void measure_wires(sharding::Machine& machine, MeasuringSite& site) {
  measure_codecs(machine, site);
  measure_two_hops(machine, site);
}

void measure_links(sharding::Machine& machine, MeasuringSite& site, at::ScalarType compute) {
  const comm::World& hosts = site.worlds().hosts;
  const auto extent = extent_of(hosts);
  const auto& nodes = hosts.node_of_rank();
  comm::Group mine;
  for (const int rank : site.all().ranks)
    if (nodes[static_cast<std::size_t>(rank)] == nodes[static_cast<std::size_t>(hosts.rank())])
      mine.ranks.push_back(rank);
  machine.link_share = 1;
  measure_link(machine.inside, site, mine, mine.size());
  if (extent.node < extent.world)
    measure_link(machine.across, site, site.all(),
                 machine.device_is_host ? extent.world / extent.node : extent.world);
  measure_sharing(machine, site, compute);
}

}  // namespace trireme::cli
