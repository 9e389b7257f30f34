#include <boost/json.hpp>

#include <fmt/format.h>

#include "cli/plan.h"
#include "sharding/blueprint.h"
#include "sharding/predict/volumes.h"
#include "sharding/presets.h"

namespace trireme::cli {
namespace {

constexpr double giga = 1e9;

struct Counted {
  std::string preset;
  std::vector<sharding::Volume> volumes;
  comm::Traffic total;
  double formula = 0;
  double sent() const { return static_cast<double>(total.inside_node + total.across_nodes); }
};

Counted count(const sharding::Model& model, const sharding::Granule& granule, sharding::Setting setting,
              const std::string& name) {
  const sharding::Activations activations = setting.placement.activations;
  setting.placement = sharding::preset(name, setting.placement.parameters.codec);
  setting.placement.activations = activations;
  const auto blueprint = sharding::draw(model, setting.placement, setting.extent, granule);
  const auto schedule = sharding::build_schedule(blueprint.facts, setting.options);
  const sharding::TrafficCounter counter(schedule, 0,
                                         sharding::even_nodes(setting.extent.world, setting.extent.node));
  return {name, volumes_of(schedule, counter), counter.total(),
          sharding::volume_formula(blueprint.facts).bytes()};
}

void print_json(const Counted& counted, double across_zero3) {
  boost::json::object purposes;
  for (const sharding::Volume& volume : counted.volumes)
    purposes[volume.what] = {{"ops", volume.ops},
                             {"inside_node", volume.traffic.inside_node},
                             {"across_nodes", volume.traffic.across_nodes}};
  boost::json::object line{{"placement", counted.preset},
                           {"inside_node", counted.total.inside_node},
                           {"across_nodes", counted.total.across_nodes},
                           {"formula", counted.formula},
                           {"purposes", std::move(purposes)}};
  if (across_zero3 > 0)
    line["across_of_zero3"] = static_cast<double>(counted.total.across_nodes) / across_zero3;
  fmt::print("{}\n", boost::json::serialize(line));
}

void print_text(const Counted& counted, double across_zero3) {
  fmt::print("{:14} {:>10.4f} {:>10.4f} {:>10.4f}", counted.preset,
             static_cast<double>(counted.total.inside_node) / giga,
             static_cast<double>(counted.total.across_nodes) / giga, counted.formula / giga);
  if (counted.formula > 0) fmt::print(" {:>8.3f}", counted.sent() / counted.formula);
  if (across_zero3 > 0)
    fmt::print(" {:>9.3f}", static_cast<double>(counted.total.across_nodes) / across_zero3);
  fmt::print("\n");
  for (const sharding::Volume& volume : counted.volumes)
    fmt::print("  {:20} {:>5} ops {:>10.4f} inside {:>10.4f} across\n", volume.what, volume.ops,
               static_cast<double>(volume.traffic.inside_node) / giga,
               static_cast<double>(volume.traffic.across_nodes) / giga);
}

}  // namespace

void print_volumes(const sharding::Subject& subject, const sharding::Setting& setting,
                   const std::vector<std::string>& presets, bool json) {
  const bool nodes = setting.extent.world > setting.extent.node;
  const double zero3 =
      nodes ? static_cast<double>(count(*subject.model, subject.granule, setting, "zero3").total.across_nodes)
            : 0;
  if (!json)
    fmt::print("GB that rank 0 sends in a step\n{:14} {:>10} {:>10} {:>10} {:>8} {}\n", "placement", "inside",
               "across", "formula", "ratio", nodes ? " of zero3's across" : "");
  for (const std::string& name : presets) {
    const bool quantised = sharding::preset(name).of_parameters(false).codec == sharding::Codec::nf4;
    const sharding::Model& model = quantised && subject.quantised ? *subject.quantised : *subject.model;
    const Counted counted = count(model, subject.granule, setting, name);
    json ? print_json(counted, zero3) : print_text(counted, zero3);
  }
}

}  // namespace trireme::cli
