#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/lora.h"
#include "core/error.h"
#include "core/log.h"
#include "io/checkpoint/checkpoint.h"
#include "jobs/read_job.h"
#include "model/layout.h"
#include "train/adapter_folder.h"
#include "train/model_folder.h"
#include "train/nf4_source.h"
#include "train/pretrained.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Words {
  std::string run, to = "hf", output, dtype = "bf16";
  bool best = false;
};

io::Checkpoint newest_of(const fs::path& run) {
  io::Found found = io::newest_checkpoint(run / "checkpoints");
  for (const std::string& sentence : found.refused)
    log::warning("{}; an older checkpoint is looked for", sentence);
  if (!found.checkpoint)
    fail(found.refused.empty() ? ExitCode::configuration : ExitCode::damaged,
         "{} holds no sound checkpoint; train first", (run / "checkpoints").string());
  return std::move(*found.checkpoint);
}

/// The one with the least of what the run's retention goes by.
io::Checkpoint best_of(const fs::path& run) {
  std::optional<io::Checkpoint> best;
  double least = 0;
  for (const std::string& name : io::checkpoint_names(run / "checkpoints")) {
    try {
      io::Checkpoint checkpoint(run / "checkpoints" / name);
      const auto* loss = checkpoint.state().if_contains("loss");
      if (!loss || !loss->is_number() || (best && loss->to_number<double>() >= least)) continue;
      least = loss->to_number<double>();
      best.emplace(std::move(checkpoint));
    } catch (const Error& error) {
      log::warning("{}; it is passed over", error.what());
    }
  }
  if (!best)
    fail(ExitCode::configuration,
         "{} holds no checkpoint that tells its loss; leave --best out for the newest",
         (run / "checkpoints").string());
  return std::move(*best);
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

int export_run(const Words& words) {
  const fs::path run(words.run);
  if (!fs::exists(run / "job.yaml"))
    fail(ExitCode::usage, "{} is no run folder: it has no job.yaml", run.string());
  const jobs::JobSpec job = jobs::load_job(run / "job.yaml", {});
  const io::Checkpoint checkpoint = words.best ? best_of(run) : newest_of(run);
  Result result(job, checkpoint);
  const fs::path folder = words.output.empty() ? run / ("export-" + words.to) : fs::path(words.output);
  if (words.to == "peft") {
    if (!result.lora())
      fail(ExitCode::usage, "{} trained all parameters and has no adapter; use --to hf", run.string());
    train::write_adapter_folder(folder, job.base_model, result.spec(), *result.lora(),
                                [&](const sharding::Parameter& parameter, std::span<float> into) {
                                  result.read_trained(parameter.name, 0, into);
                                });
  } else {
    train::ModelFolderOptions options;
    options.dtype = dtype_from_name(words.dtype).value();
    train::write_model_folder(folder, job.base_model, result.spec(), options,
                              [&](const sharding::Parameter& parameter, std::int64_t first,
                                  std::span<float> into) { result.read(parameter, first, into); });
    if (result.lora() && result.lora()->four_bit_base)
      log::warning(
          "the adapters were trained beside weights of 4 bits and are merged into those, which differ from "
          "{} by {:.1f} % (root mean square); written as {} the sum is rounded once, and quantised to 4 bits "
          "again it would lose most of what was learnt",
          job.base_model, 100 * result.four_bit_error(), words.dtype);
  }
  fmt::print("{} of {} is in {}\n", words.to == "peft" ? "the adapter" : "the model",
             checkpoint.folder().filename().string(), folder.string());
  return 0;
}

}  // namespace

void add_export(CLI::App& app, Run& chosen) {
  CLI::App* command =
      app.add_subcommand("export", "Write a run's newest or best checkpoint for other programs");
  auto words = std::make_shared<Words>();
  command->add_option("RUN", words->run, "The run folder")->required();
  command->add_option("--to", words->to, "hf: a whole model, adapters merged; peft: the adapter alone")
      ->check(CLI::IsMember({"hf", "peft"}))
      ->capture_default_str();
  command->add_flag("--best", words->best,
                    "The checkpoint with the lowest loss (the mean of the steps since the one before) "
                    "instead of the newest");
  command->add_option("--output", words->output, "Folder to write; without it RUN/export-hf or export-peft");
  command->add_option("--dtype", words->dtype, "Of the weights of --to hf")
      ->check(CLI::IsMember({"bf16", "fp16", "fp32"}))
      ->capture_default_str();
  command->footer("Example: trireme export run --to hf --output my-model");
  command->callback([&chosen, words] { chosen = [words] { return export_run(*words); }; });
}

}  // namespace trireme::cli
