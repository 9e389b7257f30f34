#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "cli/bench_commands.h"
#include "comm/bench/collective_bench.h"
#include "comm/bench/names.h"
#include "comm/bench/pair_bench.h"
#include "comm/bench/sizes.h"
#include "comm/device_world.h"
#include "comm/mpi/mpi_world.h"
#include "comm/through_host/either_world.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/plugin.h"

namespace trireme::cli {
namespace {

namespace bench = comm::bench;

struct Words {
  std::string collectives = "all_gather,reduce_scatter,all_reduce";
  std::string backends = "all";
  std::string begin = "1K", end = "64M";
  double factor = 4;
  std::string dtype = "fp32", reduction = "sum", memory = "host", group = "world";
  bench::CollectiveOptions options;
  bool pairs = false;
  std::string pair_size = "1M";
  bench::PairOptions pair_options;
  bool json = false;
};

constexpr const char* footer =
    "Examples:\n"
    "  mpirun -n 2 trireme bench comm\n"
    "  mpirun -n 4 trireme bench comm --collective all_reduce --backend mpi,openmpi -b 1K -e 256M -f 2 -c "
    "--json\n"
    "  mpirun -n 4 trireme bench comm --pairs --backend openmpi,ucx\n"
    "Sizes are those of the whole vector; bandwidths are in units of 10^9 bytes a second, by the formulas of "
    "nccl-tests.";

bench::CollectiveOptions options_from(Words& words) {
  bench::CollectiveOptions options = words.options;
  options.collectives = bench::parse_collectives(words.collectives);
  options.backends = bench::split_names(words.backends);
  if (options.backends.empty()) fail(ExitCode::usage, "--backend names nothing; name one, or all");
  options.sizes = bench::size_series(parse_bytes(words.begin), parse_bytes(words.end), words.factor);
  const auto dtype = dtype_from_name(words.dtype);
  if (!dtype)
    fail(ExitCode::usage, "there is no --dtype '{}'; fp32, bf16, fp16 and int32 are some", words.dtype);
  options.dtype = *dtype;
  options.reduction = bench::parse_reduction(words.reduction);
  options.span = bench::parse_span(words.group);
  bench::validate(options);
  if (!words.pairs && std::count(options.backends.begin(), options.backends.end(), "ucx"))
    fail(ExitCode::usage, "ucx moves data between two ranks only; add --pairs, or name another --backend");
  const std::uint64_t pair_bytes = parse_bytes(words.pair_size);
  if (pair_bytes < bench::exchanged_bytes)
    fail(ExitCode::usage, "--pair-size is {} bytes; give at least {}", pair_bytes, bench::exchanged_bytes);
  words.pair_options.message_bytes = pair_bytes;
  if (!(words.pair_options.limits.rate > 0 && words.pair_options.limits.rate < 1))
    fail(ExitCode::usage, "--slow-below is {}; give a number between 0 and 1",
         words.pair_options.limits.rate);
  if (words.memory != "host" && words.memory != "device")
    fail(ExitCode::usage, "there is no --memory '{}'; known are: host, device", words.memory);
  return options;
}

void print(const std::vector<bench::Record>& records, bool json) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (json) {
      fmt::print("{}\n", bench::json_of(records[i]));
      continue;
    }
    if (i == 0) fmt::print("\n# {}\n{}\n", name_of(records[i].workload.collective), bench::table_head());
    fmt::print("{}\n", bench::table_row(records[i]));
  }
  if (!json) fmt::print("{}", bench::fit_lines(records));
  std::fflush(stdout);
}

std::uint64_t wrong_elements(const std::vector<bench::Record>& records) {
  std::uint64_t wrong = 0;
  for (const auto& record : records) wrong += record.wrong.value_or(0);
  return wrong;
}

int measure_collectives(const bench::Site& site, const bench::CollectiveOptions& options, bool json) {
  const bool speaks = site.everyone.rank() == 0;
  std::uint64_t wrong = 0;
  bench::run_collectives(site, options, [&](const std::vector<bench::Record>& records) {
    if (speaks) print(records, json);
    wrong += wrong_elements(records);
  });
  if (wrong == 0) return 0;
  if (speaks) fmt::print(stderr, "{} elements are wrong\n", wrong);
  return static_cast<int>(ExitCode::internal);
}

int measure_all_pairs(const comm::MpiRuntime& runtime, const bench::Site& site, const Words& words,
                      const std::vector<std::string>& backends) {
  bench::PairReport report;
  report.node_of_rank = site.world.node_of_rank();
  report.host_of_rank = site.everyone.host_names();
  report.message_bytes = words.pair_options.message_bytes;
  for (const auto& link : bench::make_links(runtime, site, backends, report.message_bytes)) {
    report.backend = link->name();
    report.pairs = bench::measure_pairs(*link, site.everyone, report.node_of_rank, words.pair_options);
    report.verdicts = bench::judge(report.pairs, report.node_of_rank, words.pair_options.limits);
    if (site.everyone.rank() != 0) continue;
    if (words.json) {
      for (const std::string& line : bench::json_of(report)) fmt::print("{}\n", line);
    } else {
      fmt::print("{}", bench::text_of(report));
    }
    std::fflush(stdout);
  }
  return 0;
}

int measure_at(const comm::MpiRuntime& runtime, const bench::Site& site, const Words& words,
               const bench::CollectiveOptions& options) {
  if (words.pairs) return measure_all_pairs(runtime, site, words, options.backends);
  return measure_collectives(site, options, words.json);
}

int measure_on_device(DevicePlugin& plugin, const comm::MpiRuntime& runtime, const bench::Everyone& everyone,
                      const Words& words, const bench::CollectiveOptions& options) {
  comm::MpiWorld hosts(runtime, {.use_gpus = true});
  const auto device = plugin.open(hosts.topology().device_ordinal(runtime.rank()));
  comm::DeviceWorldOptions about;
  about.rank = runtime.rank();
  about.node_of_rank = hosts.node_of_rank();
  about.broadcast_from_first = [&everyone](void* data, std::size_t bytes) {
    everyone.broadcast_from_first(data, bytes);
  };
  const auto devices = plugin.world(*device, about);
  comm::EitherWorld world(*devices, hosts, *device);
  return measure_at(runtime, {everyone, world, device.get()}, words, options);
}

int measure(Words& words) {
  const bench::CollectiveOptions options = options_from(words);
  DevicePlugin* plugin = words.memory == "device" ? &open_device_plugin() : nullptr;
  const comm::MpiRuntime runtime(nullptr, nullptr);
  if (runtime.size() == 1) {
    fmt::print(stderr,
               "there is 1 rank, so nothing moves; start several, as in: mpirun -n 2 trireme bench comm, or: "
               "trireme launch -n 2 -- bench comm\n");
    return 0;
  }
  const bench::Everyone everyone;
  if (plugin) return measure_on_device(*plugin, runtime, everyone, words, options);
  comm::MpiWorld world(runtime);
  return measure_at(runtime, {everyone, world, nullptr}, words, options);
}

}  // namespace

void add_bench_comm(Command parent) {
  Command command = parent.subcommand(
      "comm", "Time collectives beside each other and beside what the machine could do at most");
  auto words = std::make_shared<Words>();
  bench::MeasureOptions& measuring = words->options.measure;
  command
      .option("--collective", words->collectives,
              "all, or some of all_gather, reduce_scatter, all_reduce, broadcast, all_to_all, sendrecv")
      .shows_default();
  command
      .option("--backend", words->backends,
              "all, or some of shm, two_level, mpi, openmpi (the MPI library by itself), nccl; with "
              "--pairs also ucx (messages, put and get)")
      .shows_default();
  command.option("-b,--begin", words->begin, "Smallest size").shows_default();
  command.option("-e,--end", words->end, "Largest size").shows_default();
  command.option("-f,--factor", words->factor, "From one size to the next").shows_default();
  command.option("-w,--warmup-iters", measuring.warmups, "Calls before each measurement").shows_default();
  command.option("-n,--iters", measuring.iterations, "Calls timed together; 0: as many as take 20 ms")
      .shows_default();
  command
      .option("--repeats", measuring.repeats,
              "Measurements of each backend, taken in turns; medians are shown")
      .shows_default();
  command.flag("-c,--check", words->options.check, "Compare every element of every result");
  command.option("-d,--dtype", words->dtype, "Element type").shows_default();
  command.option("-o,--op", words->reduction, "sum, mean or max").shows_default();
  command
      .option("--group", words->group,
              "world, node (each node by itself), or across (ranks with the same place on their node)")
      .shows_default();
  command.flag("--in-place", words->options.in_place, "Output over input");
  command.flag("--plain-memory", words->options.plain_memory, "Ordinary memory instead of the backend's own");
  command.option("--memory", words->memory, "host, or device").shows_default();
  command.flag("--pairs", words->pairs,
               "Latency and rate between any two ranks instead of collectives; marks pairs that fall out");
  command.option("--pair-size", words->pair_size, "With --pairs: size of the messages of a stream")
      .shows_default();
  command
      .option("--slow-below", words->pair_options.limits.rate,
              "With --pairs: mark rates below this part of what is usual in their class")
      .shows_default();
  command.flag("--at-once", words->pair_options.at_once,
               "With --pairs: measure disjoint pairs at the same time");
  command.flag("--json", words->json, "One JSON object a line");
  command.footer(footer);
  command.runs([words] { return measure(*words); });
}

}  // namespace trireme::cli
