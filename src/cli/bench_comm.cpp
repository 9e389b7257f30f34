#include <cstdio>

#include <fmt/format.h>

#include "cli/bench_commands.h"
#include "comm/bench/collective_bench.h"
#include "comm/bench/names.h"
#include "comm/bench/sizes.h"
#include "comm/mpi/mpi_world.h"
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
  bool json = false;
};

constexpr const char* footer =
    "Examples:\n"
    "  mpirun -n 2 trireme bench comm\n"
    "  mpirun -n 4 trireme bench comm --collective all_reduce --backend mpi,openmpi -b 1K -e 256M -f 2 -c "
    "--json\n"
    "Sizes are those of the whole vector; bandwidths are in units of 10^9 bytes a second, by the formulas of "
    "nccl-tests.";

bench::CollectiveOptions options_from(const Words& words) {
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

int measure(const Words& words) {
  const bench::CollectiveOptions options = options_from(words);
  if (words.memory == "device") {
    open_device_plugin();
    fail(ExitCode::configuration, "bench comm measures host memory only; leave --memory device out");
  }
  const comm::MpiRuntime runtime(nullptr, nullptr);
  if (runtime.size() == 1) {
    fmt::print(stderr,
               "there is 1 rank, so nothing moves; start several, as in: mpirun -n 2 trireme bench comm, or: "
               "trireme launch -n 2 -- bench comm\n");
    return 0;
  }
  comm::MpiWorld world(runtime);
  const bench::Everyone everyone;
  const bool speaks = everyone.rank() == 0;
  std::uint64_t wrong = 0;
  bench::run_collectives(world, everyone, options, [&](const std::vector<bench::Record>& records) {
    if (speaks) print(records, words.json);
    wrong += wrong_elements(records);
  });
  if (wrong == 0) return 0;
  if (speaks) fmt::print(stderr, "{} elements are wrong\n", wrong);
  return static_cast<int>(ExitCode::internal);
}

}  // namespace

void add_bench_comm(CLI::App& parent, Run& chosen) {
  CLI::App* command = parent.add_subcommand(
      "comm", "Time collectives beside each other and beside what the machine could do at most");
  auto words = std::make_shared<Words>();
  bench::MeasureOptions& measuring = words->options.measure;
  command
      ->add_option("--collective", words->collectives,
                   "all, or some of all_gather, reduce_scatter, all_reduce, broadcast, all_to_all, sendrecv")
      ->capture_default_str();
  command
      ->add_option("--backend", words->backends,
                   "all, or some of shm, two_level, mpi, openmpi (the MPI library by itself), nccl")
      ->capture_default_str();
  command->add_option("-b,--begin", words->begin, "Smallest size")->capture_default_str();
  command->add_option("-e,--end", words->end, "Largest size")->capture_default_str();
  command->add_option("-f,--factor", words->factor, "From one size to the next")->capture_default_str();
  command->add_option("-w,--warmup-iters", measuring.warmups, "Calls before each measurement")
      ->capture_default_str();
  command->add_option("-n,--iters", measuring.iterations, "Calls timed together; 0: as many as take 20 ms")
      ->capture_default_str();
  command
      ->add_option("--repeats", measuring.repeats,
                   "Measurements of each backend, taken in turns; medians are shown")
      ->capture_default_str();
  command->add_flag("-c,--check", words->options.check, "Compare every element of every result");
  command->add_option("-d,--dtype", words->dtype, "Element type")->capture_default_str();
  command->add_option("-o,--op", words->reduction, "sum, mean or max")->capture_default_str();
  command
      ->add_option("--group", words->group,
                   "world, node (each node by itself), or across (ranks with the same place on their node)")
      ->capture_default_str();
  command->add_flag("--in-place", words->options.in_place, "Output over input");
  command->add_flag("--plain-memory", words->options.plain_memory,
                    "Ordinary memory instead of the backend's own");
  command->add_option("--memory", words->memory, "host, or device")->capture_default_str();
  command->add_flag("--json", words->json, "One JSON object a line");
  command->footer(footer);
  command->callback([words, &chosen] { chosen = [words] { return measure(*words); }; });
}

}  // namespace trireme::cli
