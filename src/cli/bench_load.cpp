#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <thread>

#include <fmt/format.h>
#include <sys/resource.h>

#include "cli/bench_commands.h"
#include "core/bytes.h"
#include "io/aligned_memory.h"
#include "io/weight_files.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string folder;
  int threads = 1, runs = 7;
  bool json = false;
};

struct Measured {
  std::string what;
  double median = 0, best = 0, worst = 0;
  long faults = 0;
};

long page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/// Giving back what the work made is not timed.
Measured measure(std::string what, int runs, const std::function<void()>& work,
                 const std::function<void()>& afterwards) {
  std::vector<double> seconds;
  Measured made{std::move(what)};
  for (int i = 0; i <= runs; ++i) {  // the first one warms up
    const long faults = page_faults();
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    made.faults = page_faults() - faults;
    afterwards();
    if (i > 0) seconds.push_back(taken.count());
  }
  std::sort(seconds.begin(), seconds.end());
  made.median = seconds[seconds.size() / 2], made.best = seconds.front(), made.worst = seconds.back();
  return made;
}

/// Positional reads of all bytes: each thread its part, through one small buffer, or to its place in `whole`.
void read_plainly(const std::vector<io::File>& files, int threads, std::byte* whole,
                  std::vector<Buffer>& small) {
  constexpr std::uint64_t at_once = std::uint64_t{1} << 21;
  std::vector<std::jthread> workers;
  const auto work = [&](int thread) {
    std::uint64_t place = 0;
    for (const io::File& file : files) {
      const std::uint64_t size = file.size(), share = size / static_cast<std::uint64_t>(threads) + 1,
                          begin = std::min(size, share * static_cast<std::uint64_t>(thread)),
                          end = std::min(size, begin + share);
      for (std::uint64_t offset = begin; offset < end; offset += at_once) {
        auto* into = whole ? whole + place + offset
                           : static_cast<std::byte*>(small[static_cast<std::size_t>(thread)].data());
        file.read(offset, {into, std::min(at_once, end - offset)});
      }
      place += size;
    }
  };
  for (int thread = 1; thread < threads; ++thread) workers.emplace_back(work, thread);
  work(0);
}

/// All tensors one behind the other.
void load(const io::WeightFiles& weights, int threads, const Buffer& memory) {
  std::vector<io::WeightSlice> slices;
  std::size_t begin = 0;
  for (const io::StoredTensor* tensor : weights.tensors()) {
    const std::size_t bytes = tensor->end - tensor->begin;
    slices.push_back(
        {tensor->name, 0, tensor->dtype, {static_cast<std::byte*>(memory.data()) + begin, bytes}});
    begin += bytes;
  }
  weights.read(slices, threads);
}

std::vector<Measured> measure_all(const Options& options) {
  std::vector<io::File> files;
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(options.folder))
    if (entry.path().extension() == ".safetensors") {
      files.push_back(io::File::open_for_reading(entry.path()));
      bytes += files.back().size();
    }
  std::vector<Measured> all;
  Buffer memory;
  const auto release = [&] { memory = Buffer(); };
  std::vector<int> counts{1};
  if (options.threads > 1) counts.push_back(options.threads);
  for (const int threads : counts) {
    const std::string with = fmt::format(", {} thread{}", threads, threads == 1 ? "" : "s");
    std::vector<Buffer> small;
    for (int i = 0; i < threads; ++i) small.push_back(io::aligned_memory(std::size_t{1} << 21));
    all.push_back(measure(
        "plain read into 2 MiB" + with, options.runs, [&] { read_plainly(files, threads, nullptr, small); },
        release));
    all.push_back(measure(
        "plain read into fresh memory" + with, options.runs,
        [&] {
          memory = io::aligned_memory(bytes);
          read_plainly(files, threads, static_cast<std::byte*>(memory.data()), small);
        },
        release));
    all.push_back(measure(
        "open, check and load" + with, options.runs,
        [&] {
          memory = io::aligned_memory(bytes);
          load(io::WeightFiles(options.folder), threads, memory);
        },
        release));
    memory = io::aligned_memory(bytes);
    all.push_back(measure(
        "the same into memory that stays" + with, options.runs,
        [&] { load(io::WeightFiles(options.folder), threads, memory); }, [] {}));
    release();
  }
  return all;
}

int run(const Options& options) {
  const std::uint64_t bytes = io::WeightFiles(options.folder).bytes();
  for (const Measured& measured : measure_all(options)) {
    const double rate = static_cast<double>(bytes) / measured.median / 1e9;
    if (options.json) {
      const boost::json::object line{{"what", measured.what},         {"bytes", bytes},
                                     {"seconds", measured.median},    {"best_s", measured.best},
                                     {"worst_s", measured.worst},     {"gb_per_s", rate},
                                     {"page_faults", measured.faults}};
      fmt::print("{}\n", boost::json::serialize(line));
    } else {
      fmt::print("{:<44} {:6.2f} GB/s   {:.3f} s ({:.3f} to {:.3f})   {} page faults\n", measured.what, rate,
                 measured.median, measured.best, measured.worst, measured.faults);
    }
  }
  return 0;
}

}  // namespace

void add_bench_load(Command bench) {
  Command command = bench.subcommand(
      "load",
      "Load the safetensors of a model folder into memory of our own, beside plain reads of their bytes");
  auto options = std::make_shared<Options>();
  command.option("folder", options->folder, "A model folder").required().existing_folder();
  command.option("--threads", options->threads, "How many threads read").within(1, 256);
  command.option("--runs", options->runs, "Counted runs after one warm-up").within(1, 1000);
  command.flag("--json", options->json, "One object a line");
  command.footer("Example: trireme bench load models/llama --threads 2");
  command.runs([options] { return run(*options); });
}

}  // namespace trireme::cli
