#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "cli/plan.h"
#include "cli/published_runs.h"
#include "core/error.h"
#include "model/build.h"
#include "model/work.h"
#include "optim/adamw.h"

namespace trireme::cli {
namespace {

struct Compared {
  const PublishedRun* run;
  sharding::Forecast forecast;
  double error() const { return forecast.tokens_per_s_per_gpu / run->tokens_per_s_per_gpu - 1; }
};

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at), high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

/// "a100-40g.eager.matrix_share=0.7" changes the figure of one row of the table, "matrix_share=0.7" of all.
void apply(sharding::Machine& machine, const std::string& word) {
  const std::size_t equals = word.find('=');
  std::string name = word.substr(0, equals);
  double value = 0;
  if (equals == std::string::npos ||
      std::from_chars(word.data() + equals + 1, word.data() + word.size(), value).ec != std::errc())
    fail(ExitCode::usage, "\"{}\" is not of the form figure=number", word);
  const std::size_t dot = name.rfind('.');
  if (dot != std::string::npos) {
    if (name.substr(0, dot) != fmt::format("{}.{}", machine.device, machine.software)) return;
    name.erase(0, dot + 1);
  }
  if (!sharding::set_figure(machine, name, value)) fail(ExitCode::usage, "there is no figure \"{}\"", name);
}

sharding::Forecast forecast_of(const PublishedRun& run, const std::vector<std::string>& figures) {
  MachineWords words;
  words.gpus_per_node = run.setting.extent.node;
  words.nodes = run.setting.extent.world / run.setting.extent.node;
  words.gpu = run.device, words.software = run.software;
  sharding::Machine machine = machine_of(words);
  if (run.node_link_bytes_per_s > 0) machine.across.bytes_per_s = run.node_link_bytes_per_s;
  for (const std::string& figure : figures) apply(machine, figure);
  const sharding::Model model = model::build_model(run.model, at::kBFloat16);
  sharding::Subject subject;
  subject.model = &model;
  subject.states = optim::AdamW({}).states();
  subject.work = [&](std::int64_t rows) {
    auto work = model::work_of(run.model, {rows, run.sequence, DType::bf16});
    work.recomputed_share = run.recomputed_share;
    return work;
  };
  return sharding::forecast(subject, machine, run.setting, {.always_time = true, .traffic = false});
}

void print_distribution(const std::string& name, const std::vector<Compared>& all,
                        const std::function<bool(const Compared&)>& belongs) {
  std::vector<double> errors, with_sign;
  for (const Compared& each : all) {
    if (!belongs(each)) continue;
    errors.push_back(std::abs(each.error()));
    with_sign.push_back(each.error());
  }
  if (errors.empty()) return;
  fmt::print(
      "{:34} {:>4} runs   |error| median {:>5.1f}%  90th {:>5.1f}%  worst {:>5.1f}%   bias {:>+5.1f}%\n",
      name, errors.size(), 100 * quantile(errors, 0.5), 100 * quantile(errors, 0.9),
      100 * quantile(errors, 1), 100 * quantile(with_sign, 0.5));
}

void print_table(const std::vector<Compared>& all) {
  fmt::print("{:>5} {:20} {:15} {:9} {:>5} {:>6} {:>5} {:>5} {:13} {:>10} {:>10} {:>7}\n", "line", "model",
             "device", "software", "ranks", "seq", "micro", "accum", "placement", "published", "predicted",
             "error");
  for (const Compared& each : all)
    fmt::print("{:>5} {:20} {:15} {:9} {:>5} {:>6} {:>5} {:>5} {:13} {:>10.1f} {:>10.1f} {:>+6.1f}%\n",
               each.run->line, each.run->name, each.run->device, each.run->software,
               each.run->setting.extent.world, each.run->sequence, each.run->setting.rows,
               each.run->setting.options.micro_batches, each.run->setting.placement.name,
               each.run->tokens_per_s_per_gpu, each.forecast.tokens_per_s_per_gpu, 100 * each.error());
}

}  // namespace

int validate_plan(const std::string& file, const std::vector<std::string>& figures, bool json) {
  const PublishedRuns published = read_published_runs(file);
  std::vector<Compared> all;
  for (const PublishedRun& run : published.runs) all.push_back({&run, forecast_of(run, figures)});
  if (all.empty()) fail(ExitCode::configuration, "{}: no row is one that a plan describes", file);
  if (json) {
    for (const Compared& each : all) {
      boost::json::object line{{"line", each.run->line},
                               {"model", each.run->name},
                               {"device", each.run->device},
                               {"software", each.run->software},
                               {"ranks", each.run->setting.extent.world},
                               {"sequence_len", each.run->sequence},
                               {"published_tokens_per_s", each.run->tokens_per_s_per_gpu},
                               {"predicted_tokens_per_s", each.forecast.tokens_per_s_per_gpu},
                               {"error", each.error()},
                               {"exposed_comm_s", each.forecast.exposed_s},
                               {"step_s", each.forecast.step_s}};
      fmt::print("{}\n", boost::json::serialize(line));
    }
    return 0;
  }
  print_table(all);
  fmt::print("\n");
  std::map<std::string, int> kinds;
  const auto kind_of = [](const Compared& each) {
    return fmt::format("{} {}", each.run->device, each.run->software);
  };
  for (const Compared& each : all) ++kinds[kind_of(each)];
  for (const auto& [kind, count] : kinds)
    print_distribution(kind, all, [&, name = kind](const Compared& each) { return kind_of(each) == name; });
  print_distribution("several nodes", all, [](const Compared& each) {
    return each.run->setting.extent.world > each.run->setting.extent.node;
  });
  print_distribution("sequences of 8192 and more", all,
                     [](const Compared& each) { return each.run->sequence >= 8192; });
  print_distribution("all", all, [](const Compared&) { return true; });
  fmt::print("\nleft out\n");
  for (const auto& [reason, count] : published.left_out) fmt::print("{:>6}  {}\n", count, reason);
  return 0;
}

}  // namespace trireme::cli
