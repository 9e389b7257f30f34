#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "cli/bench_commands.h"
#include "core/error.h"
#include "io/tokenizer/encode_batch.h"
#include "io/tokenizer/unicode.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string tokenizer, text;
  int threads = 1, runs = 5;
  bool json = false;
};

std::vector<std::string> read_texts(const std::string& path) {
  std::vector<fs::path> files;
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::recursive_directory_iterator(path))
      if (entry.is_regular_file()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  std::vector<std::string> texts;
  for (const fs::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) fail(ExitCode::configuration, "{} cannot be opened", file.string());
    texts.push_back(io::unicode::replace_invalid(
        std::string((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>())));
  }
  return texts;
}

int run(const Options& options) {
  const io::Tokenizer tokenizer = io::Tokenizer::from_file(options.tokenizer);
  const std::vector<std::string> texts = read_texts(options.text);
  std::size_t bytes = 0, tokens = 0;
  for (const std::string& text : texts) bytes += text.size();
  std::vector<double> seconds;
  for (int i = 0; i <= options.runs; ++i) {  // the first one warms up
    const auto start = std::chrono::steady_clock::now();
    const auto encoded = io::encode_batch(tokenizer, texts, true, options.threads);
    if (i > 0)
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    tokens = 0;
    for (const auto& text : encoded) tokens += text.size();
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  const double rate = static_cast<double>(bytes) / median / 1e6;
  if (options.json) {
    const boost::json::object line{{"texts", texts.size()},      {"bytes", bytes},    {"tokens", tokens},
                                   {"threads", options.threads}, {"seconds", median}, {"mb_per_s", rate}};
    fmt::print("{}\n", boost::json::serialize(line));
  } else {
    fmt::print(
        "{} texts, {} bytes, {} tokens, {} threads: {:.3f} s median of {} ({:.3f} to {:.3f}), {:.1f} MB/s\n",
        texts.size(), bytes, tokens, options.threads, median, options.runs, seconds.front(), seconds.back(),
        rate);
  }
  return 0;
}

}  // namespace

void add_bench_tokenizer(Command bench) {
  Command command = bench.subcommand(
      "tokenizer",
      "Encode text files and tell the rate; each file is one text, each run starts with empty caches");
  auto options = std::make_shared<Options>();
  command.option("tokenizer", options->tokenizer, "A tokenizer.json").required();
  command.option("text", options->text, "A file, or a folder of files").required();
  command.option("--threads", options->threads, "How many threads encode").within(1, 1024);
  command.option("--runs", options->runs, "Counted runs after one warm-up").within(1, 1000);
  command.flag("--json", options->json, "One object");
  command.footer("Example: trireme bench tokenizer model/tokenizer.json corpus/ --threads 2");
  command.runs([options] { return run(*options); });
}

}  // namespace trireme::cli
