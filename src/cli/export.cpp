#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/evaluations.h"
#include "cli/held_checkpoints.h"
#include "cli/lora.h"
#include "comm/mpi/mpi_world.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/log.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/retention.h"
#include "io/file.h"
#include "jobs/read_job.h"
#include "model/layout.h"
#include "train/adapter_folder.h"
#include "train/model_card.h"
#include "train/model_folder.h"
#include "train/nf4_source.h"
#include "train/pretrained.h"
#include "train/rank_texts.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Words {
  std::string run, to = "hf", output, dtype = "bf16", file_size = "5G";
  bool best = false;
};

io::Checkpoint newest_of(const fs::path& checkpoints) {
  io::Found found = io::newest_checkpoint(checkpoints);
  for (const std::string& sentence : found.refused)
    log::warning("{}; an older checkpoint is looked for", sentence);
  if (!found.checkpoint)
    fail(found.refused.empty() ? ExitCode::configuration : ExitCode::damaged,
         "{} holds no sound checkpoint; train first", checkpoints.string());
  return std::move(*found.checkpoint);
}

/// By evaluation where the run had one, else by the loss of training.
io::Checkpoint best_of(const fs::path& checkpoints) {
  const std::vector<io::KeptFacts> facts = io::facts_of(checkpoints);
  for (const io::KeptFacts& one : facts)
    if (!one.damage.empty()) log::warning("{}; it is passed over", one.damage);
  const io::KeptFacts* best = io::best_of(facts);
  if (!best)
    fail(ExitCode::configuration,
         "{} holds no checkpoint that tells its loss; leave --best out for the newest", checkpoints.string());
  if (best->score) {
    log::info("{} is the best of {} by evaluation: {} {:.6g}", best->name, facts.size(), best->measure,
              higher_is_better(best->measure) ? -*best->score : *best->score);
  } else {
    log::info("{} is the best of {} by the loss of training, {:.6g}: nothing was evaluated", best->name,
              facts.size(), *best->loss);
  }
  return io::Checkpoint(checkpoints / best->name);
}

/// What a run has made of its base model: trained values from the checkpoint, the others from the base, and
/// adapters added to the weights beside which they were trained.
class Result {
 public:
  Result(const jobs::JobSpec& job, const io::Checkpoint& checkpoint)
      : base_(job.base_model, fresh_seed_of(job)),
        four_bits_(base_),
        checkpoint_(checkpoint),
        lora_(lora_of(job)) {
    if (!lora_) return;
    for (std::int64_t layer = 0; layer < base_.spec().layers; ++layer) {
      const model::BlockLayout block = model::block_layout(base_.spec(), layer);
      const std::vector<char> linear = model::linear_weights(block);
      for (std::size_t i = 0; i < linear.size(); ++i)
        if (linear[i]) in_four_bits_.insert(block.parameters[i].name);
      for (const sharding::Parameter& parameter : model::lora_layout(base_.spec(), *lora_, layer).parameters)
        adapters_[parameter.name] = parameter;
    }
  }
  /// How far the 4-bit weights that were trained beside are from the base's, once all were read.
  double four_bit_error() const { return four_bits_.error(); }
  const model::ModelSpec& spec() const { return base_.spec(); }
  const std::optional<model::LoraSettings>& lora() const { return lora_; }

  void read_trained(const std::string& name, std::int64_t first, std::span<float> into) const {
    checkpoint_.read("model/" + name, static_cast<std::uint64_t>(first), std::as_writable_bytes(into));
  }
  void read(const sharding::Parameter& parameter, std::int64_t first, std::span<float> into) {
    if (!lora_) return read_trained(parameter.name, first, into);
    if (lora_->four_bit_base && in_four_bits_.contains(parameter.name)) {
      four_bits_.read_values(parameter, first, into);
    } else {
      base_.read(parameter.name, static_cast<std::uint64_t>(first), DType::f32, std::as_writable_bytes(into));
    }
    const std::string module = parameter.name.substr(0, parameter.name.rfind('.'));
    const auto a = adapters_.find(module + ".lora_A.weight"), b = adapters_.find(module + ".lora_B.weight");
    if (!parameter.name.ends_with(".weight") || a == adapters_.end()) return;
    take(module, a->second, b->second);
    merge(parameter, first, into);
  }

 private:
  void take(const std::string& module, const sharding::Parameter& a, const sharding::Parameter& b) {
    if (module == taken_) return;
    a_.resize(static_cast<std::size_t>(a.shape[0] * a.shape[1]));
    b_.resize(static_cast<std::size_t>(b.shape[0] * b.shape[1]));
    read_trained(a.name, 0, a_), read_trained(b.name, 0, b_);
    taken_ = module;
  }
  /// Adds scale · B A, element by element.
  void merge(const sharding::Parameter& parameter, std::int64_t first, std::span<float> into) const {
    const std::int64_t rank = lora_->rank, columns = parameter.shape[1];
    const std::int64_t in = static_cast<std::int64_t>(a_.size()) / rank;
    for (std::size_t i = 0; i < into.size(); ++i) {
      const std::int64_t at = first + static_cast<std::int64_t>(i), row = at / columns, column = at % columns;
      const std::int64_t out = spec().transposed ? column : row, from = spec().transposed ? row : column;
      double sum = 0;
      for (std::int64_t r = 0; r < rank; ++r)
        sum += static_cast<double>(b_[static_cast<std::size_t>(out * rank + r)]) *
               static_cast<double>(a_[static_cast<std::size_t>(r * in + from)]);
      into[i] += static_cast<float>(lora_->scale() * sum);
    }
  }

  train::Pretrained base_;
  train::Nf4Source four_bits_;
  std::set<std::string> in_four_bits_;
  const io::Checkpoint& checkpoint_;
  std::optional<model::LoraSettings> lora_;
  std::map<std::string, sharding::Parameter> adapters_;
  std::string taken_;
  std::vector<float> a_, b_;
};

std::vector<std::pair<std::string, std::string>> settings_of(const jobs::JobSpec& job) {
  std::vector<std::pair<std::string, std::string>> settings{
      {"optimizer", job.optimizer},
      {"learning_rate", fmt::format("{}", job.learning_rate)},
      {"sequence_len", fmt::format("{}", job.sequence_len)},
      {"adapter", job.adapter},
      {"placement", job.placement.preset},
      {"seed", fmt::format("{}", job.seed)}};
  if (job.adapter != "none") settings.emplace_back("lora_r", fmt::format("{}", job.lora_r));
  return settings;
}

void write_peft(const Words& words, const jobs::JobSpec& job, const Result& result, const fs::path& folder,
                const std::string& card) {
  if (!result.lora())
    fail(ExitCode::usage, "{} trained all parameters and has no adapter; use --to hf", words.run);
  train::write_adapter_folder(folder, job.base_model, result.spec(), *result.lora(),
                              [&](const sharding::Parameter& parameter, std::span<float> into) {
                                result.read_trained(parameter.name, 0, into);
                              });
  io::write_text_atomically(folder / "README.md", card);
}

void write_whole(const Words& words, const jobs::JobSpec& job, Result& result, const fs::path& folder,
                 std::string card, comm::Communicator* ranks) {
  train::ModelFolderOptions options;
  options.dtype = dtype_from_name(words.dtype).value();
  options.file_bytes = parse_bytes(words.file_size);
  options.weights_alone = words.to == "safetensors";
  if (!options.weights_alone) options.card = std::move(card);
  train::write_model_folder(
      folder, job.base_model, result.spec(), options,
      [&](const sharding::Parameter& parameter, std::int64_t first, std::span<float> into) {
        result.read(parameter, first, into);
      },
      ranks);
  if (result.lora() && result.lora()->four_bit_base && (!ranks || ranks->rank() == 0))
    log::warning(
        "the adapters were trained beside weights of 4 bits and are merged into those, which differ from "
        "{} by {:.1f} % (root mean square); written as {} the sum is rounded once, and quantised to 4 bits "
        "again it would lose most of what was learnt",
        job.base_model, 100 * result.four_bit_error(), words.dtype);
}

/// What fails on one rank fails on all.
void on_all(comm::Communicator* ranks, const std::function<void()>& work) {
  if (ranks) return train::together(*ranks, work);
  work();
}

int export_from(const Words& words, comm::Communicator* ranks) {
  const fs::path run(words.run);
  const bool first = !ranks || ranks->rank() == 0;
  std::optional<jobs::JobSpec> job;
  std::optional<HeldCheckpoints> held;
  std::optional<io::Checkpoint> checkpoint;
  std::optional<Result> result;
  std::string chosen;
  on_all(ranks, [&] {
    if (!fs::exists(run / "job.yaml"))
      fail(ExitCode::usage, "{} is no run folder: it has no job.yaml", run.string());
    job = jobs::load_job(run / "job.yaml", {});
    if (!first) return;
    held.emplace(run);
    checkpoint = words.best ? best_of(held->folder()) : newest_of(held->folder());
    chosen = fs::absolute(checkpoint->folder()).string();
  });
  if (ranks) chosen = train::shared_text(*ranks, 0, chosen);
  on_all(ranks, [&] {
    if (!checkpoint) checkpoint.emplace(chosen);
    result.emplace(*job, *checkpoint);
  });
  const fs::path folder = words.output.empty() ? run / ("export-" + words.to) : fs::path(words.output);
  std::string card = train::model_card(
      {job->base_model, words.to == "peft", checkpoint->state(), run / "metrics.jsonl", settings_of(*job)});
  if (words.to != "peft") {
    write_whole(words, *job, *result, folder, std::move(card), ranks);
  } else {
    on_all(ranks, [&] {
      if (first) write_peft(words, *job, *result, folder, card);
    });
  }
  if (first)
    fmt::print("{} of {} is in {}\n", words.to == "peft" ? "the adapter" : "the model",
               checkpoint->folder().filename().string(), folder.string());
  return 0;
}

/// On one rank, or on all that a launcher started.
int export_run(const Words& words) {
  const bool launched = std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("PMIX_RANK");
  if (!launched) return export_from(words, nullptr);
  const comm::MpiRuntime runtime(nullptr, nullptr);
  comm::MpiWorld world(runtime);
  comm::Group all;
  all.ranks.resize(static_cast<std::size_t>(world.size()));
  std::iota(all.ranks.begin(), all.ranks.end(), 0);
  const auto ranks = world.communicator(all, "auto", {});
  return export_from(words, ranks.get());
}

}  // namespace

void add_export(Command app) {
  Command command = app.subcommand("export",
                                   "Write a run's newest or best checkpoint for other programs, also "
                                   "while it trains, on one rank or several");
  auto words = std::make_shared<Words>();
  command.option("RUN", words->run, "The run folder").required();
  command
      .option("--to", words->to,
              "hf: a whole model, adapters merged; safetensors: its weights alone; peft: the adapter alone")
      .one_of({"hf", "safetensors", "peft"})
      .shows_default();
  command.flag("--best", words->best,
               "The best checkpoint instead of the newest: by evaluation, or else by the loss of training");
  command.option("--output", words->output, "Folder to write; without it RUN/export-hf, and so on");
  command.option("--dtype", words->dtype, "Of the weights of --to hf")
      .one_of({"bf16", "fp16", "fp32"})
      .shows_default();
  command
      .option("--file-size", words->file_size,
              "How long a file of weights may be; ranks write several at once")
      .shows_default();
  command.footer("Example: trireme export run --to hf --output my-model");
  command.runs([words] { return export_run(*words); });
}

}  // namespace trireme::cli
