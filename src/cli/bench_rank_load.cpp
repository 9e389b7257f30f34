#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "cli/bench_commands.h"
#include "core/bytes.h"
#include "core/error.h"
#include "io/aligned_memory.h"
#include "model/layout.h"
#include "sharding/layout.h"
#include "train/pretrained.h"

namespace trireme::cli {
namespace {

struct Options {
  std::string folder;
  int rank = 0, ranks = 1;
  bool json = false;
};

/// Of the process, memory that is not the files' own.
std::uint64_t private_bytes() {
  std::ifstream status("/proc/self/status");
  std::uint64_t anonymous_kib = 0;
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) anonymous_kib = std::stoull(line.substr(8));
  return anonymous_kib << 10;
}

/// What a rank of a sharded job keeps of each group, read as such a job reads it.
int measure(const Options& options) {
  if (options.rank < 0 || options.rank >= options.ranks)
    fail(ExitCode::usage, "--rank {} of --ranks {}", options.rank, options.ranks);
  const auto begin = std::chrono::steady_clock::now();
  const train::Pretrained pretrained(options.folder);
  std::vector<Buffer> slices;
  std::uint64_t kept = 0, largest_group = 0, before = private_bytes();
  for (const sharding::ParamGroup& group : model::parameter_groups(pretrained.spec())) {
    const sharding::Layout layout(group.parameters, options.ranks);
    const auto elements = static_cast<std::uint64_t>(layout.slice_elements(options.ranks));
    const Buffer& slice = slices.emplace_back(io::aligned_memory(elements * sizeof(float)));
    kept += slice.bytes();
    largest_group = std::max(largest_group, static_cast<std::uint64_t>(layout.used()) * 2);
    for (const sharding::Piece& piece : layout.pieces(options.rank, options.ranks)) {
      const std::span into(slice.as<float>() + piece.at, static_cast<std::size_t>(piece.count));
      at::parallel_for(0, piece.count, std::int64_t{1} << 20, [&](std::int64_t first, std::int64_t last) {
        pretrained.read(group.parameters[static_cast<std::size_t>(piece.parameter)].name,
                        static_cast<std::uint64_t>(piece.begin + first), DType::f32,
                        std::as_writable_bytes(into.subspan(static_cast<std::size_t>(first),
                                                            static_cast<std::size_t>(last - first))));
      });
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::uint64_t beside = private_bytes() - before;
  if (options.json) {
    fmt::print(
        R"({{"rank": {}, "ranks": {}, "shard_bytes": {}, "memory_bytes": {}, "largest_unit_bytes": {}, "seconds": {:.3f}}})"
        "\n",
        options.rank, options.ranks, kept, beside, largest_group, seconds);
  } else {
    fmt::print("rank {} of {}: {} of values in {:.2f} s, {} of memory for them; the largest unit has {}\n",
               options.rank, options.ranks, human_bytes(static_cast<double>(kept)), seconds,
               human_bytes(static_cast<double>(beside)), human_bytes(static_cast<double>(largest_group)));
  }
  return 0;
}

}  // namespace

void add_bench_rank_load(Command bench) {
  Command command = bench.subcommand(
      "rank-load", "Read one rank's slices of a Hugging Face folder, as a sharded job would");
  auto options = std::make_shared<Options>();
  command.option("folder", options->folder, "With config.json and safetensors").required();
  command.option("--ranks", options->ranks, "Of the job").within(1, 1 << 20).shows_default();
  command.option("--rank", options->rank, "Which of them").shows_default();
  command.flag("--json", options->json, "One JSON object");
  command.footer("Example: trireme bench rank-load llama-3-70b --ranks 128 --rank 77");
  command.runs([options] { return measure(*options); });
}

}  // namespace trireme::cli
