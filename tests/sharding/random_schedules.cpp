#include "tests/sharding/random_schedules.h"

#include <algorithm>
#include <vector>

namespace trireme::sharding {
namespace {

int random_divisor(std::mt19937& random, int number) {
  std::vector<int> divisors;
  for (int i = 1; i <= number; ++i)
    if (number % i == 0) divisors.push_back(i);
  return divisors[random() % divisors.size()];
}

}  // namespace

RandomCase random_case(std::mt19937& random) {
  const std::vector<int> worlds{1, 2, 3, 4, 6, 8, 12, 24};
  RandomCase made;
  made.facts.world = worlds[random() % worlds.size()];
  const int groups = 1 + static_cast<int>(random() % 9);
  for (int i = 0; i < groups; ++i) {
    GroupFacts group;
    group.name = "group." + std::to_string(i);
    group.elements = 64 * static_cast<std::uint64_t>(made.facts.world) * (1 + random() % 4);
    group.element_bytes = random() % 2 ? 4 : 2;
    group.trainable = random() % 4 != 0;
    group.cut = random() % 4 == 0;
    if (group.trainable) {
      group.optimizer = random_divisor(random, made.facts.world);
      group.gradients = random_divisor(random, group.optimizer);
      group.parameters = random() % 2
                             ? group.optimizer * random_divisor(random, made.facts.world / group.optimizer)
                             : group.gradients * random_divisor(random, group.optimizer / group.gradients);
    } else {
      group.parameters = random_divisor(random, made.facts.world);
    }
    if (group.parameters > 1 && random() % 3 == 0) group.secondary = random_divisor(random, group.parameters);
    if (random() % 3 == 0) group.parameter_tier = Tier::nvme;
    if (random() % 3 != 0) group.gradient_tier = Tier::host;
    if (group.update_writes_home() || (group.trainable && random() % 3 == 0)) {
      group.update_parts = 1 + static_cast<int>(random() % 4);
      group.state_bytes = 12 * group.elements;
    }
    made.facts.groups.push_back(group);
  }
  const int units = 1 + static_cast<int>(random() % 8);
  made.facts.units.resize(static_cast<std::size_t>(units));
  for (int g = 0; g < groups; ++g) made.facts.units[random() % made.facts.units.size()].groups.push_back(g);
  for (auto& unit : made.facts.units) {
    unit.name = "unit";
    unit.keeps_little = random() % 3 == 0;
    unit.backward_reads_weights = !unit.keeps_little || random() % 2;
    const int tied = static_cast<int>(random() % static_cast<unsigned>(groups));
    if (random() % 4 == 0 && std::find(unit.groups.begin(), unit.groups.end(), tied) == unit.groups.end())
      unit.groups.push_back(tied);
  }
  made.options.purpose = random() % 5 ? ScheduleOptions::Purpose::train : ScheduleOptions::Purpose::evaluate;
  made.options.micro_batches = 1 + static_cast<int>(random() % 4);
  made.options.prefetch_depth = static_cast<int>(random() % 4);
  made.options.reduce_depth = static_cast<int>(random() % 3);
  made.options.unit_major = random() % 2;
  made.options.update_when_reduced = random() % 3 == 0;
  made.options.keeps_gradients = random() % 2;
  made.options.lowers_gradients = random() % 2;
  made.options.parts_in_memory = 1 + static_cast<int>(random() % 4);
  made.options.activations = static_cast<Activations>(random() % 3);
  made.options.input_tier = random() % 2 ? Tier::host : Tier::device;
  made.options.input_depth = static_cast<int>(random() % 5);
  return made;
}

}  // namespace trireme::sharding
