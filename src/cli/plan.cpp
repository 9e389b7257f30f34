#include "cli/plan.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include <fmt/format.h>

#include "cli/batch_shape.h"
#include "cli/commands.h"
#include "cli/planned_device.h"
#include "core/bytes.h"
#include "core/error.h"
#include "jobs/read_job.h"
#include "jobs/write_job.h"
#include "offload/host/numa.h"
#include "sharding/predict/picture.h"
#include "sharding/presets.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Words {
  std::string subject;
  std::vector<std::string> overrides;
  MachineWords machine;
  bool search = false, volumes = false, json = false, deepspeed = false;
  std::string presets, trace, gantt, write_job, validate;
  double tokens = 0;
};

/// A job file, or a model alone with the defaults of a job.
jobs::JobSpec job_of(const Words& words) {
  const std::string extension = fs::path(words.subject).extension();
  if (extension == ".yaml" || extension == ".yml") return jobs::load_job(words.subject, words.overrides);
  const std::string text = fmt::format(
      "base_model: \"{}\"\ndatasets: [{{path: none, type: tokens}}]\nlearning_rate: 1e-4\n", words.subject);
  return jobs::parse_job(text, words.subject, words.overrides, fs::current_path());
}

/// Those that --presets names, or all that suit the job.
sharding::Choices named_choices(const Words& words, const jobs::JobSpec& job, const sharding::Extent& extent,
                                sharding::Codec compute) {
  sharding::Choices choices = choices_of(job, extent, compute);
  if (words.presets.empty()) return choices;
  choices.presets.clear();
  std::istringstream names(words.presets);
  for (std::string name; std::getline(names, name, ',');)
    if (!name.empty()) choices.presets.emplace_back(sharding::preset(name).name);
  return choices;
}

/// What the command line leaves open, the job's section `slurm:` says.
MachineWords machine_for(MachineWords words, const jobs::JobSpec& job) {
  if (words.nodes == 0) words.nodes = static_cast<int>(job.slurm.nodes);
  if (words.gpus_per_node == 0) words.gpus_per_node = static_cast<int>(job.slurm.ranks_per_node);
  words.gpu = planned_device(words, job);
  return words;
}

void write(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) fail(ExitCode::configuration, "{}: cannot be written", path);
}

void write_pictures(const Words& words, const sharding::Subject& subject, const sharding::Machine& machine,
                    const sharding::Setting& setting) {
  if (words.trace.empty() && words.gantt.empty()) return;
  const sharding::Preview view = sharding::preview(subject, machine, setting);
  const std::vector<sharding::Track> tracks{{"planned", 0, &view.schedule, &view.timeline}};
  if (!words.trace.empty()) write(words.trace, sharding::chrome_trace(tracks));
  if (!words.gantt.empty()) write(words.gantt, sharding::gantt_svg(tracks));
}

void write_chosen_job(const std::string& path, jobs::JobSpec job, const sharding::Forecast& best) {
  const sharding::ScheduleOptions& options = best.setting.options;
  job.placement = {best.setting.placement.name, {}};
  job.micro_batch_size = best.setting.rows;
  job.gradient_accumulation_steps = options.micro_batches;
  job.gradient_checkpointing = options.activations != sharding::Activations::kept;
  if (options.activations == sharding::Activations::recomputed_except_attention)
    job.placement.said["activations"] = name_of(options.activations);
  const sharding::Placement& placement = best.setting.placement;
  if (placement.activation_tier != sharding::Tier::device)
    job.placement.said["activation_tier"] = name_of(placement.activation_tier);
  if (placement.device_state_bytes) {
    job.placement.said["optimizer.tier"] = name_of(placement.optimizer.tier);
    job.placement.said["optimizer.device_bytes"] = "auto";
  }
  job.schedule.order = options.unit_major ? "unit_major" : "micro_batch_major";
  job.schedule.prefetch_depth = options.prefetch_depth, job.schedule.reduce_depth = options.reduce_depth;
  write(path, jobs::to_yaml(std::move(job)));
}

void print_end(const Words& words, const jobs::JobSpec& job, const sharding::Forecast& forecast,
               const sharding::Machine& machine) {
  const double ranks = forecast.setting.extent.world;
  const auto step_tokens =
      static_cast<double>(job.sequence_len * rows_of_a_step(job, forecast.setting.extent.world));
  const double tokens = words.tokens > 0 ? words.tokens : step_tokens * static_cast<double>(job.max_steps);
  if (!(tokens > 0) || !(forecast.step_s > 0)) return;
  const double hours = tokens / step_tokens * forecast.step_s / 3600;
  fmt::print("\n{:.4g} tokens take {:.4g} hours", tokens, hours);
  if (machine.price_per_hour > 0) fmt::print(" and cost {:.2f}", hours * ranks * machine.price_per_hour);
  fmt::print("\n");
}

int plan(Words words) {
  if (!words.validate.empty()) return validate_plan(words.validate, words.machine.figures, words.json);
  if (words.subject.empty())
    fail(ExitCode::usage, "name what to plan: a job.yaml, a model's folder, its config.json or a known name");
  const jobs::JobSpec job = job_of(words);
  words.machine = machine_for(std::move(words.machine), job);
  sharding::Machine machine = machine_of(words.machine);
  if (cores_of_node(machine, job.slurm) == 0)
    machine.cores = static_cast<double>(offload::allowed_cores().size());
  const sharding::Codec compute = planned_compute_type(job, words.machine.gpu);
  const sharding::Extent extent{words.machine.nodes * words.machine.gpus_per_node,
                                words.machine.gpus_per_node};
  const Planned planned(job, spec_of(job.base_model, job.sequence_len), compute, machine.device_is_host);
  const sharding::Choices choices = named_choices(words, job, extent, compute);

  if (words.search) {
    const sharding::Ranking ranking = sharding::search(planned.subject(), machine, extent, choices);
    if (words.json) {
      for (const auto* part : {&ranking.fitting, &ranking.lacking})
        for (const sharding::Forecast& each : *part) fmt::print("{}\n", json_of(each));
    } else {
      print_ranking(ranking);
    }
    const auto best = ranking.best();
    if (!best)
      fail(ExitCode::configuration, "nothing that the engine carries out fits on {} ranks of {}: {}",
           extent.world, machine.device,
           ranking.lacking.empty() ? "name other --presets" : ranking.lacking.front().reason);
    if (!words.json) {
      fmt::print("\nthe fastest that fits and runs: {}\n\n", best->setting.placement.name);
      print_forecast(*best, machine);
      print_end(words, job, *best, machine);
    }
    if (!words.write_job.empty()) write_chosen_job(words.write_job, job, *best);
    write_pictures(words, planned.subject(), machine, best->setting);
    return 0;
  }

  const sharding::Setting setting = setting_of(job, extent, compute, cores_of_node(machine, job.slurm));
  if (words.volumes) {
    print_volumes(planned.subject(), setting, choices.presets, words.json);
    return 0;
  }
  const sharding::Forecast forecast = sharding::forecast(planned.subject(), machine, setting);
  if (words.json) {
    fmt::print("{}\n", json_of(forecast));
  } else {
    print_forecast(forecast, machine);
    print_end(words, job, forecast, machine);
    if (words.deepspeed)
      print_deepspeed_estimates(*planned.subject().model, words.machine.nodes, words.machine.gpus_per_node);
  }
  if (forecast.fits) {
    write_pictures(words, planned.subject(), machine, forecast.setting);
    if (!forecast.not_yet.empty()) fail(ExitCode::configuration, "{}", forecast.not_yet);
    return 0;
  }
  if (!words.json) {
    const auto nearest = sharding::nearest_that_fits(planned.subject(), machine, setting, choices);
    fmt::print("\n{}\n", nearest ? "the nearest that fits:" : "no placement of this job fits these ranks");
    if (nearest) print_forecast(*nearest, machine);
  }
  return static_cast<int>(ExitCode::configuration);
}

}  // namespace

void add_plan(Command app) {
  Command command =
      app.subcommand("plan", "Foretell memory and time of a job on a machine, without running it");
  auto words = std::make_shared<Words>();
  words->machine.nodes = words->machine.gpus_per_node = 0;
  words->machine.gpu.clear();
  command.option("subject", words->subject,
                 "A job.yaml, a model's folder, its config.json, or a known model such as llama-3-70b");
  command.option("key=value", words->overrides, "Changes to the job: placement=zero3 sequence_len=4096");
  command.option("--nodes", words->machine.nodes, "Nodes; those of slurm.nodes otherwise").within(1, 1 << 20);
  command
      .option("--gpus-per-node", words->machine.gpus_per_node,
              "Ranks of each node, one a device; slurm.ranks_per_node otherwise")
      .within(1, 1024);
  command.option("--gpu", words->machine.gpu,
                 "The device: h100-80g, a100-40g, cpu, …; slurm.gpu otherwise, or what is here");
  command.option("--software", words->machine.software,
                 "Whose shares of the peak: trireme, eager (FSDP), compiled");
  command.option("--link", words->machine.link, "Gbit/s across nodes for each device: 400g");
  command.option("--machine", words->machine.file, "A JSON object of figures that replace the table's");
  command.option("--calibrate", words->machine.calibrate,
                 "Links and tiers as `trireme bench comm --json` and `bench tier --json` found them");
  command.option("--set", words->machine.figures, "One figure: matrix_share=0.6");
  command.flag("--search", words->search,
               "Rank all placements, micro-batches, activation policies, orders and depths");
  command.flag("--volumes", words->volumes,
               "Bytes that a rank sends in a step of each preset, by purpose, beside the formulas");
  command.option("--presets", words->presets, "Search only these, separated by commas");
  command.option("--write-job", words->write_job, "Write the job file of the search's best");
  command.option("--trace", words->trace, "Write the planned step in Chrome's trace format");
  command.option("--gantt", words->gantt, "Write the planned step as a picture (SVG)");
  command.option("--tokens", words->tokens, "Tokens in all, for the time and cost to finish");
  command.flag("--deepspeed-estimates", words->deepspeed, "Print DeepSpeed's own estimates beside ours");
  command.option("--validate", words->validate, "Compare with published runs in this CSV file");
  command.flag("--json", words->json, "One object a line");
  command.footer(
      "Examples:\n"
      "  trireme plan job.yaml --nodes 4 --gpus-per-node 8 --gpu h100-80g --link 400g\n"
      "  trireme plan llama-3-70b --nodes 32 --gpus-per-node 8 --gpu h100-80g --search sequence_len=8192\n"
      "  trireme plan --validate throughput-train.csv");
  command.runs([words] { return plan(*words); });
}

}  // namespace trireme::cli
