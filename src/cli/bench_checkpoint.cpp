#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "cli/bench_commands.h"
#include "comm/mpi/mpi_world.h"
#include "comm/simd/copy.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/lane.h"
#include "io/aligned_memory.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/manifest.h"
#include "io/checkpoint/save.h"
#include "io/checkpoint/shard.h"
#include "io/file.h"
#include "train/rank_texts.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string folder, size = "1G";
  int repeats = 5;
  bool whole = false, json = false;
};

/// What a step computes while its state is copied: products that stay in the caches, on one thread.
class Products {
 public:
  Products()
      : left_(at::rand({edge, edge})), right_(at::rand({edge, edge})), result_(at::empty({edge, edge})) {
    at::set_num_threads(1);
  }
  /// As many as take at least `seconds`.
  void last(double seconds) {
    for (count_ = 16; seconds_of_all() < seconds;) count_ += count_ / 2;
  }
  void run() {
    for (int i = 0; i < count_; ++i) at::mm_out(result_, left_, right_);
  }

 private:
  static constexpr std::int64_t edge = 256;
  double seconds_of_all() {
    const auto begin = std::chrono::steady_clock::now();
    run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  at::Tensor left_, right_, result_;
  int count_ = 0;
};

/// Times of one kind of work, one a round; of the slowest rank.
struct Times {
  std::string what;
  std::vector<double> seconds;
  double median() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted.empty() ? 0 : sorted[sorted.size() / 2];
  }
};

class Bench {
 public:
  Bench(const Options& options, comm::Communicator& ranks)
      : options_(options),
        ranks_(ranks),
        folder_(fs::path(options.folder) / "trireme-bench-checkpoint"),
        raw_(folder_ / fmt::format("raw-{}", ranks.rank())),
        bytes_(parse_bytes(options.size) / static_cast<std::uint64_t>(ranks.size()) / block * block),
        state_(io::aligned_memory(bytes_)),
        copy_(io::aligned_memory(bytes_)) {
    if (bytes_ == 0) fail(ExitCode::usage, "--size {} is less than {} a rank", options.size, block);
    auto* words = state_.as<std::uint32_t>();
    std::uint32_t random = 1 + static_cast<std::uint32_t>(ranks.rank());
    for (std::size_t i = 0; i < bytes_ / sizeof(std::uint32_t); ++i)
      words[i] = random = random * 1664525u + 1013904223u;
  }

  int run() {
    if (ranks_.rank() == 0) fs::create_directories(folder_);
    Times first_touch{"first touch, beside training", {}};
    // As a job does while its first steps run.
    time(first_touch, [this] { io::make_resident(copy_, false); });
    Times raw_write{"write limit", {}}, save{"save", {}}, copy{"copy, by itself", {}},
        step{"a step's products", {}}, beside{"the same beside a copy", {}}, waits{"training waits", {}},
        raw_read{"read limit", {}}, cold{"load, cold", {}}, warm{"load, warm", {}};
    for (int round = 0; round < options_.repeats; ++round) {
      // A disk that lets a burst pass favours who comes first.
      if (round % 2 == 0) time(raw_write, [this] { write_raw(); });
      settle();
      time(copy, [this] { copy_state(); });
      if (round == 0) products_.last(4 * copy.seconds.front());
      time(step, [this] { products_.run(); });
      time(beside, [this] { run_beside_copy(); });
      waits.seconds.push_back(std::max(0.0, beside.seconds.back() - step.seconds.back()));
      time(save, [this] { save_all(); });
      settle();
      if (round % 2 == 1) time(raw_write, [this] { write_raw(); });
      if (round % 2 == 0) time(raw_read, [this] { read_raw(); });
      time(cold, [this] { load(); });
      if (round % 2 == 1) time(raw_read, [this] { read_raw(); });
      warm_up();
      time(warm, [this] { load(); });
      remove_round();
    }
    if (ranks_.rank() == 0) {
      report(first_touch, 0);
      report(raw_write, raw_write.median());
      report(save, raw_write.median());
      for (const Times& stage : {begin_, shards_, commit_}) report(stage, 0);
      report(copy, 0);
      report(step, 0);
      report(beside, 0);
      report(waits, 0);
      if (!options_.json)
        fmt::print("training waits for {:.0f} % of the save\n", 100 * waits.median() / save.median());
      report(raw_read, raw_read.median());
      report(cold, raw_read.median());
      report(warm, 0);
      fs::remove_all(folder_);
    }
    ranks_.barrier();
    return 0;
  }

 private:
  static constexpr std::uint64_t block = std::uint64_t{4} << 20;
  static constexpr std::size_t in_flight = 4, tensors = 64;

  /// Tensors of a model, as a job copies them.
  void copy_state() {
    const std::uint64_t each = bytes_ / tensors;
    for (std::uint64_t at = 0; at < bytes_; at += each)
      comm::simd::copy_past_caches(copy_.as<std::byte>() + at, state_.as<std::byte>() + at,
                                   std::min(each, bytes_ - at));
  }
  /// The copy is wanted when the step would update what is copied.
  void run_beside_copy() {
    const Event copied = copier_.post([this] { copy_state(); });
    products_.run();
    copied.wait();
  }

  void time(Times& times, const std::function<void()>& work) {
    ranks_.barrier();
    time_stage(times, work);
  }
  void time_stage(Times& times, const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    ranks_.all_reduce(&seconds, &seconds, 1, DType::f64, comm::Reduction::max);
    times.seconds.push_back(seconds);
  }

  /// Blocks of the state, several under way at once.
  void in_blocks(const std::function<void(std::uint64_t at, std::byte* data)>& work) {
    std::array<Lane, in_flight> lanes{Lane("raw 0"), Lane("raw 1"), Lane("raw 2"), Lane("raw 3")};
    std::array<Event, in_flight> done;
    done.fill(Event::already_set());
    for (std::uint64_t at = 0, turn = 0; at < bytes_; at += block, turn = (turn + 1) % in_flight) {
      done[turn].wait();
      done[turn] = lanes[turn].post([&work, at, this] { work(at, state_.as<std::byte>() + at); });
    }
    for (const Event& event : done) event.wait();
  }

  /// What was done to the folder so far weighs no more on the disk.
  void settle() {
    ranks_.barrier();
    io::sync_folder(folder_);
    ranks_.barrier();
  }

  void write_raw() {
    io::File file = io::File::create_for_direct_writing(raw_);
    file.reserve(bytes_);
    in_blocks([&](std::uint64_t at, std::byte* data) { file.write(at, std::span(data, block)); });
    file.sync();
  }

  void read_raw() {
    const io::File file = io::File::open_for_direct_reading(raw_);
    in_blocks([&](std::uint64_t at, std::byte* data) { file.read(at, std::span(data, block)); });
  }

  std::string tensor_name(std::size_t tensor) const { return fmt::format("model/layer.{}.weight", tensor); }

  /// Each tensor is cut evenly over the ranks.
  template <typename Use>
  void for_each_slice(Use use) const {
    const std::uint64_t each = bytes_ / tensors / sizeof(float);
    for (std::size_t tensor = 0; tensor < tensors; ++tensor)
      use(tensor_name(tensor), each * static_cast<std::uint64_t>(ranks_.rank()),
          std::span(state_.as<std::byte>() + tensor * each * sizeof(float), each * sizeof(float)));
  }

  void save_all() {
    std::vector<io::TensorSlice> slices;
    const auto elements = static_cast<std::int64_t>(bytes_ / tensors / sizeof(float)) * ranks_.size();
    for_each_slice([&](const std::string& name, std::uint64_t begin, std::span<std::byte> bytes) {
      slices.push_back({name, DType::f32, {elements}, begin, bytes});
    });
    const std::uint64_t all = bytes_ * static_cast<std::uint64_t>(ranks_.size());
    std::string temporary;
    time_stage(begin_, [&] {
      train::together(ranks_, [&] {
        if (ranks_.rank() == 0) temporary = io::begin_save(folder_, "step-00000001", all).string();
      });
      temporary = train::shared_text(ranks_, 0, temporary);
    });
    std::string record;
    time_stage(shards_, [&] {
      train::together(ranks_, [&] {
        record = io::to_json(io::write_shard(fs::path(temporary) / io::shard_name(ranks_.rank()), slices,
                                             {options_.whole ? io::Reread::whole : io::Reread::sampled}));
      });
    });
    time_stage(commit_, [&] {
      const auto records = train::gathered_texts(ranks_, record);
      train::together(ranks_, [&] {
        if (ranks_.rank() != 0) return;
        std::vector<io::ShardRecord> shards;
        for (const std::string& text : records)
          shards.push_back(io::parse_shard_record(text, "a rank's shard"));
        io::commit_save(temporary, std::move(shards), {{"step", 1}});
      });
    });
  }

  void load() {
    const io::Checkpoint checkpoint(folder_ / "step-00000001");
    std::vector<std::string> names;
    for (std::size_t tensor = 0; tensor < tensors; ++tensor) names.push_back(tensor_name(tensor));
    std::vector<io::Wanted> wanted;
    for_each_slice([&](const std::string&, std::uint64_t begin, std::span<std::byte> bytes) {
      wanted.push_back({names[wanted.size()], begin, bytes});
    });
    checkpoint.read(wanted);
  }

  /// Brings this rank's shard into the page cache.
  void warm_up() {
    const io::File file =
        io::File::open_for_reading(folder_ / "step-00000001" / io::shard_name(ranks_.rank()));
    const std::uint64_t bytes = file.size();
    for (std::uint64_t at = 0; at < bytes; at += block)
      file.read(at, std::span(copy_.as<std::byte>(), std::min(block, bytes - at)));
  }

  void remove_round() {
    ranks_.barrier();
    fs::remove(raw_);
    if (ranks_.rank() == 0) fs::remove_all(folder_ / "step-00000001");
    settle();
  }

  void report(const Times& times, double limit_s) const {
    const double bytes = static_cast<double>(bytes_) * ranks_.size(), seconds = times.median();
    const auto [best, worst] = std::minmax_element(times.seconds.begin(), times.seconds.end());
    if (options_.json) {
      boost::json::object line{
          {"what", times.what}, {"ranks", ranks_.size()}, {"bytes", bytes}, {"seconds", seconds}};
      if (seconds > 0) line["mb_per_s"] = bytes / seconds / 1e6;
      if (limit_s > 0) line["of_limit"] = limit_s / seconds;
      fmt::print("{}\n", boost::json::serialize(line));
      return;
    }
    fmt::print("{:<28} {:>8.3f} s ({:.3f} to {:.3f})", times.what, seconds, *best, *worst);
    if (seconds > 0) fmt::print(" {:>8.0f} MB/s", bytes / seconds / 1e6);
    if (limit_s > 0) fmt::print(" {:>5.0f} % of the limit", 100 * limit_s / seconds);
    fmt::print("\n");
  }

  const Options& options_;
  comm::Communicator& ranks_;
  fs::path folder_, raw_;
  std::uint64_t bytes_;
  Buffer state_, copy_;
  Times begin_{"  its beginning", {}}, shards_{"  its shards", {}}, commit_{"  its commit", {}};
  Products products_;
  Lane copier_{"copy"};
};

int measure(const Options& options) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  comm::MpiWorld world(runtime);
  comm::Group all;
  all.ranks.resize(static_cast<std::size_t>(world.size()));
  std::iota(all.ranks.begin(), all.ranks.end(), 0);
  const auto ranks = world.communicator(all, "auto", {});
  return Bench(options, *ranks).run();
}

}  // namespace

void add_bench_checkpoint(Command bench) {
  Command command = bench.subcommand(
      "checkpoint", "Save and load checkpoints beside what the same disk can do at most in the same run");
  auto options = std::make_shared<Options>();
  command.option("folder", options->folder, "On the disk to be measured").required();
  command.option("--size", options->size, "Of all ranks' state together").shows_default();
  command.option("--repeats", options->repeats, "Rounds; medians are shown").within(1, 1000).shows_default();
  command.flag("--whole", options->whole, "Read back all that was written, not a sample");
  command.flag("--json", options->json, "One JSON object a line");
  command.footer("Example: mpirun -n 2 trireme bench checkpoint /scratch --size 2G");
  command.runs([options] { return measure(*options); });
}

}  // namespace trireme::cli
