#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/bench_commands.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/plugin.h"
#include "offload/bench/drive_bench.h"
#include "offload/bench/memory_bench.h"

namespace trireme::cli {
namespace {

namespace bench = offload::bench;

struct Words {
  std::string what = "host,optimizer,nvme,gds";
  std::string paths = "/tmp", size = "1G", blocks = "128K,1M", depths = "1,8,32",
              backends = "io_uring,threads";
  std::string copy_size = "256M", threads = "1";
  std::int64_t parameters = 50'000'000;
  int rounds = 5;
  bool json = false;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');)
    if (!word.empty()) words.push_back(word);
  return words;
}

int whole(const std::string& word, const char* option) {
  const std::uint64_t number = parse_bytes(word);
  if (number < 1 || number > 65536) fail(ExitCode::usage, "{} {} is not between 1 and 65536", option, word);
  return static_cast<int>(number);
}

bench::DriveOptions drive_options(const Words& words) {
  bench::DriveOptions options;
  for (const std::string& path : split(words.paths)) options.folders.emplace_back(path);
  options.bytes = parse_bytes(words.size);
  options.rounds = words.rounds;
  options.blocks.clear(), options.depths.clear();
  for (const std::string& block : split(words.blocks)) {
    options.blocks.push_back(parse_bytes(block));
    if (options.blocks.back() < 4096 || options.blocks.back() % 4096 != 0 ||
        options.blocks.back() > (1u << 30))
      fail(ExitCode::usage, "--blocks {}: a block is a multiple of 4K, at most 1G", block);
  }
  for (const std::string& depth : split(words.depths))
    options.depths.push_back(static_cast<unsigned>(whole(depth, "--depths")));
  options.backends = split(words.backends);
  if (options.bytes < (1u << 20)) fail(ExitCode::usage, "--size {}: give at least 1M", words.size);
  return options;
}

void print_json(const bench::Record& record) {
  const boost::json::object line{{"what", record.what},
                                 {"backend", record.backend},
                                 {"block_bytes", record.block_bytes},
                                 {"depth", record.depth},
                                 {"threads", record.threads},
                                 {"bytes", record.bytes},
                                 {"seconds", record.seconds},
                                 {"gb_s", record.gb_s()},
                                 {"limit_gb_s", record.limit_gb_s},
                                 {"percent", record.percent()},
                                 {"parameters_per_s", record.parameters_per_s},
                                 {"missing", record.missing}};
  fmt::print("{}\n", boost::json::serialize(line));
}

void print_row(const bench::Record& record) {
  if (!record.missing.empty())
    return fmt::print("{:<11} {:<13} {}\n", record.what, record.backend, record.missing);
  const std::string block =
      record.block_bytes > 0 ? human_bytes(static_cast<double>(record.block_bytes)) : std::string("-");
  fmt::print("{:<11} {:<13} {:>8} {:>6} {:>8} {:>9.2f} {:>9.2f} {:>6.0f} %", record.what, record.backend,
             block, record.depth, record.threads, record.gb_s(), record.limit_gb_s, record.percent());
  if (record.parameters_per_s > 0)
    fmt::print("   {:.0f} million parameters/s", record.parameters_per_s / 1e6);
  fmt::print("\n");
}

std::vector<bench::Record> measure_gds(const bench::DriveOptions& options) {
  std::unique_ptr<Device> device;
  try {
    device = open_device_plugin().open(0);
  } catch (const Error& missing) {
    if (missing.code() != ExitCode::configuration) throw;
    return bench::missing_device_drives(std::string("no GPU: ") + missing.what());
  }
  return bench::measure_device_drives(options, *device);
}

int measure(const Words& words) {
  const std::vector<std::string> wanted = split(words.what);
  const bench::DriveOptions drives = drive_options(words);
  bench::MemoryOptions memory;
  memory.copy_bytes = parse_bytes(words.copy_size);
  memory.parameters = words.parameters;
  memory.rounds = words.rounds;
  memory.threads.clear();
  for (const std::string& threads : split(words.threads))
    memory.threads.push_back(whole(threads, "--threads"));
  if (!words.json)
    fmt::print("{:<11} {:<13} {:>8} {:>6} {:>8} {:>9} {:>9} {:>8}\n", "what", "backend", "block", "depth",
               "threads", "GB/s", "limit", "of it");
  const auto print = [&](const std::vector<bench::Record>& records) {
    for (const bench::Record& record : records) words.json ? print_json(record) : print_row(record);
    std::fflush(stdout);
  };
  for (const std::string& what : wanted) {
    if (what == "host")
      print(bench::measure_copies(memory));
    else if (what == "optimizer")
      print(bench::measure_updates(memory));
    else if (what == "nvme")
      print(bench::measure_drives(drives));
    else if (what == "gds")
      print(measure_gds(drives));
    else
      fail(ExitCode::usage, "there is no tier '{}' to measure; known are host, optimizer, nvme, gds", what);
  }
  return 0;
}

}  // namespace

void add_bench_tier(Command parent) {
  Command command = parent.subcommand("tier",
                                      "Time the host's memory, its optimizers, its drives and the way "
                                      "from drive to GPU, beside their limits");
  auto words = std::make_shared<Words>();
  command.option("--what", words->what, "Some of host, optimizer, nvme, gds").shows_default();
  command.option("--paths", words->paths, "A folder on each drive").shows_default();
  command.option("--size", words->size, "Written to and read from the drives").shows_default();
  command.option("--blocks", words->blocks, "Sizes of requests").shows_default();
  command.option("--depths", words->depths, "Requests on their way at once").shows_default();
  command.option("--backends", words->backends, "io_uring, threads").shows_default();
  command.option("--copy-size", words->copy_size, "Copied in the host's memory").shows_default();
  command.option("--parameters", words->parameters, "Updated by the host optimizers")
      .shows_default()
      .within(std::int64_t{4096}, std::int64_t{1} << 40);
  command.option("--threads", words->threads, "Of copies and updates, each pinned to a core").shows_default();
  command.option("--rounds", words->rounds, "Medians of so many").shows_default().within(1, 1000);
  command.flag("--json", words->json, "One JSON object a line");
  command.footer("Example: trireme bench tier --paths /scratch/a,/scratch/b --threads 1,2 --json");
  command.runs([words] { return measure(*words); });
}

}  // namespace trireme::cli
