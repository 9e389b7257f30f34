#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/compute_settings.h"
#include "cli/loaded_model.h"
#include "cli/typed_prompt.h"
#include "core/error.h"
#include "core/log.h"
#include "io/data/documents.h"
#include "io/tokenizer/tokenizer.h"
#include "jobs/read_job.h"
#include "train/checkpoints.h"
#include "train/generator.h"

namespace trireme::cli {
namespace {

struct Words {
  std::string file;
  TypedPrompt prompt;
  std::vector<std::string> overrides;
  train::GenerationSettings settings;
  bool base = false, no_end = false;
};

int generate_on(const Worlds& worlds, Watch& watch, const jobs::JobSpec& job, const Words& words) {
  const std::filesystem::path folder(job.base_model);
  const auto tokenizer = io::Tokenizer::from_file((folder / "tokenizer.json").string());
  comm::World& world = worlds.hosts;
  LoadedModel model(job, worlds, watch);
  if (!words.base) {
    train::Checkpoints checkpoints(std::filesystem::path(job.output_dir) / "checkpoints", model.engine(),
                                   {.asynchronous = false});
    watch.slow_phase("restore");
    if (!checkpoints.load() && world.rank() == 0)
      log::warning("{} holds no checkpoint; this is the base model", job.output_dir);
  }
  watch.phase("generate");
  std::vector<std::int32_t> prompt = tokens_of(words.prompt, job, tokenizer);
  train::GenerationSettings settings = words.settings;
  if (!words.no_end) settings.end_token = io::end_token_of(folder, tokenizer);
  const auto made = train::generate(model.engine(), model.spec().layers, prompt, settings);
  if (world.rank() != 0) return 0;
  if (!words.prompt.instruction.empty()) prompt.clear();
  prompt.insert(prompt.end(), made.begin(), made.end());
  fmt::print("{}\n", tokenizer.decode(prompt));
  return 0;
}

int generate_job(const Words& words) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  log::configure(fmt::format("rank {}", runtime.rank()), log::Level::info);
  const jobs::JobSpec job = jobs::load_job(words.file, words.overrides);
  Ranks ranks(runtime, job);
  prepare_to_compute(job, ranks);
  Watch watch(job, ranks.hosts());
  return watch.over(ranks, [&](const Worlds& worlds) { return generate_on(worlds, watch, job, words); });
}

}  // namespace

void add_generate(Command app) {
  Command command = app.subcommand("generate", "Go on with a text by a run's model, or its base's");
  auto words = std::make_shared<Words>();
  command.option("job.yaml", words->file, "The job file").required();
  command.option("key=value", words->overrides, "Changes to it");
  Option text = command.option("--prompt", words->prompt.text, "The text to go on with");
  const Option instruction =
      command.option("--instruction", words->prompt.instruction,
                     "A task, put into the form of the job's first dataset; the answer alone is shown");
  text.excludes(instruction);
  command.option("--input", words->prompt.input, "What the instruction is about").needs(instruction);
  command.option("--max-new-tokens", words->settings.most_tokens, "No more than this")
      .within(1, 1 << 20)
      .shows_default();
  command.option("--temperature", words->settings.sampling.temperature, "0: always the likeliest token")
      .within(0.0, 100.0)
      .shows_default();
  command.option("--top-p", words->settings.sampling.top_p, "Draw from the likeliest tokens of this share")
      .within(0.0, 1.0)
      .shows_default();
  command.option("--seed", words->settings.sampling.seed, "Of what is drawn").shows_default();
  command.flag("--base", words->base, "The base model, even where the run has a checkpoint");
  command.flag("--no-end", words->no_end, "Go on past the end token");
  command.footer("Example: trireme generate job.yaml --prompt \"Once upon\" --temperature 0.8 --top-p 0.95");
  command.runs([words] { return generate_job(*words); });
}

}  // namespace trireme::cli
